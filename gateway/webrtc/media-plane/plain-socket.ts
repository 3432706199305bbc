/** The other end of a plain transport of ours: a socket on the loopback that sends to its port and hears it alone. */

import { createSocket, type Socket } from 'node:dgram';

/**
 * @param port  of the transport
 * @throws what the system says when there is no socket to be had
 */
export async function plainSocket(
  port: number,
  buffers: { readonly sendBufferSize?: number; readonly recvBufferSize?: number },
): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', ...buffers });
  // Without it Node would throw what a dead worker's port answers. Its death is told by the worker.
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(port, '127.0.0.1', () => {
      socket.off('error', reject);
      resolve();
    });
  }).catch((error: unknown) => {
    socket.close();
    throw error;
  });
  return socket;
}
