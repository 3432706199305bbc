#!/bin/sh
# coturn for Weir: makes the shared secret at the first start, and takes whoever shows credentials that Weir made with it.
#
#   TURN_DIRECTORY     where the file `secret` lies; Weir's webrtc.turn.secretFile names it      /turn
#   TURN_PORT          UDP and TCP                                                                3478
#   TURN_LISTEN_IP     one address; all of this machine without it
#   TURN_EXTERNAL_IP   the address that peers reach, where a router passes the ports on
#   TURN_RELAY_PORTS   UDP, first-last: one for each relayed peer                                 49160-49359
#   TURN_REALM                                                                                    weir
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
  # One client: two peers with a component each, and what it had a moment ago.
  echo "user-quota=12"
  echo "total-quota=200"
  echo "no-cli"
  echo "no-tls"
  echo "no-dtls"
  echo "no-multicast-peers"
  echo "no-tcp-relay"
  echo "userdb=$settings/turn.db"
  echo "pidfile=$settings/turnserver.pid"
  echo "log-file=stdout"
} > "$settings/turnserver.conf"

exec turnserver -c "$settings/turnserver.conf"
