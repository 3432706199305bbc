/** Python with boto3 or botocore, on which it and the AWS CLI stand, where one is installed. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../kit/run-command.ts';
import { temporaryDirectory } from '../../kit/temp.ts';

/** A Python that has it, and an operation of `kinesisvideo` that older releases lack. */
export async function pythonWith(
  library: 'boto3' | 'botocore',
  operation = 'list_streams',
): Promise<string | undefined> {
  const client = `botocore.session.Session().create_client('kinesisvideo', region_name='us-east-1')`;
  const script = `import ${library}, botocore.session; ${client}.${operation}`;
  for (const python of ['python3', '/usr/bin/python3']) {
    const { code } = await runCommand(python, ['-c', script]).catch(() => ({ code: 1 }));
    if (code === 0) return python;
  }
  return undefined;
}

/** Runs a script that reads what it is given from standard input, as JSON, and prints JSON. */
export async function askPython(
  python: string,
  script: string,
  given: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const { out, err } = await runCommand(python, ['-c', script], { input: JSON.stringify(given) });
  return out === '' ? { err } : JSON.parse(out);
}

/** A file with the authority of a site's certificate. */
export async function authorityFile(pem: string): Promise<string> {
  const path = join(await temporaryDirectory(), 'ca.pem');
  await writeFile(path, pem);
  return path;
}
