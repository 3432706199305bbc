#!/bin/sh
# coturn for Weir: makes the shared secret at the first start, and takes whoever shows credentials that Weir made with it.
#
#   TURN_DIRECTORY     where the file `secret` lies; Weir's webrtc.turn.secretFile names it      /turn
#   TURN_PORT          UDP and TCP                                                                3478
#   TURN_LISTEN_IP     one address; all of this machine without it
#   TURN_EXTERNAL_IP   the address that peers reach, where a router passes the ports on
#   TURN_RELAY_PORTS   UDP, first-last: one for each relayed peer                                 49160-49359
#   TURN_REALM                                                                                    weir
#   TURN_DENIED_PEERS  addresses or ranges (first-last), with spaces between, that nothing is passed on to: machines of your network
#                      that are no WebRTC peers. Weir, and cameras that stream by KVS, are peers.
set -eu
umask 077
directory=${TURN_DIRECTORY:-/turn}
secret=$directory/secret
relays=${TURN_RELAY_PORTS:-49160-49359}

if [ ! -s "$secret" ]; then
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$secret.new"
  mv "$secret.new" "$secret"
fi

# In a file, since a command line can be read by everybody on the machine.
settings=$(mktemp -d)
{
  echo "use-auth-secret"
  echo "static-auth-secret=$(cat "$secret")"
  echo "realm=${TURN_REALM:-weir}"
  echo "listening-port=${TURN_PORT:-3478}"
  echo "min-port=${relays%-*}"
  echo "max-port=${relays#*-}"
  if [ -n "${TURN_LISTEN_IP:-}" ]; then
    echo "listening-ip=$TURN_LISTEN_IP"
    echo "relay-ip=$TURN_LISTEN_IP"
  fi
  if [ -n "${TURN_EXTERNAL_IP:-}" ]; then echo "external-ip=$TURN_EXTERNAL_IP"; fi
  echo "fingerprint"
  echo "stale-nonce=600"
  # An account or a channel: a wall of sixteen cameras by UDP and by TCP, and no more than a quarter of all.
  echo "user-quota=50"
  echo "total-quota=200"
  echo "no-cli"
  echo "no-tls"
  echo "no-dtls"
  echo "no-multicast-peers"
  # Whoever may watch may have packets passed on. Nobody's peer is this machine's inside, a link's own (where clouds tell a
  # machine its secrets), or an IPv4 address in the dress of IPv6.
  for peers in 0.0.0.0-0.255.255.255 127.0.0.0-127.255.255.255 169.254.0.0-169.254.255.255 192.0.0.0-192.0.0.255 \
    240.0.0.0-255.255.255.255 ::1 ::ffff:0:0-::ffff:ffff:ffff 64:ff9b::-64:ff9b::ffff:ffff fe80::-febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
    ${TURN_DENIED_PEERS:-}; do
    echo "denied-peer-ip=$peers"
  done
  echo "no-tcp-relay"
  echo "userdb=$settings/turn.db"
  echo "pidfile=$settings/turnserver.pid"
  echo "log-file=stdout"
} > "$settings/turnserver.conf"

exec turnserver -c "$settings/turnserver.conf"
