/* Calls of libsrtp 3 as the worker makes them, against the adapter over libsrtp 2. Prints one line a profile; ends with 1 at what is wrong. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "srtp.h"

#define must(condition)                                                  \
  do {                                                                   \
    if (!(condition)) {                                                  \
      fprintf(stderr, "line %d: %s\n", __LINE__, #condition);            \
      exit(1);                                                           \
    }                                                                    \
  } while (0)

enum { CAPACITY = 1600, RTP_LENGTH = 212, RTCP_LENGTH = 28 };

static srtp_t session_of(srtp_profile_t profile, srtp_ssrc_type_t direction)
{
  static const uint8_t key[32] = { 1, 2, 3, 4 };
  static const uint8_t salt[14] = { 5, 6, 7, 8 };
  const size_t key_length = srtp_profile_get_master_key_length(profile);
  const size_t salt_length = srtp_profile_get_master_salt_length(profile);
  srtp_policy_t policy = NULL;
  srtp_t session = NULL;
  const srtp_ssrc_t ssrc = { direction, 0 };
  must(srtp_policy_create(&policy) == srtp_err_status_ok);
  must(srtp_policy_set_ssrc(policy, ssrc) == srtp_err_status_ok);
  /* Without a profile nobody knows how long a key is. */
  must(srtp_policy_add_key(policy, key, key_length, salt, salt_length, NULL, 0) == srtp_err_status_bad_param);
  must(srtp_policy_set_profile(policy, profile) == srtp_err_status_ok);
  must(srtp_policy_set_allow_repeat_tx(policy, true) == srtp_err_status_ok);
  must(srtp_policy_set_window_size(policy, 1024) == srtp_err_status_ok);
  must(srtp_create(&session, policy) == srtp_err_status_bad_param);
  must(srtp_policy_add_key(policy, key, key_length - 1, salt, salt_length, NULL, 0) == srtp_err_status_bad_param);
  must(srtp_policy_add_key(policy, key, key_length, salt, salt_length + 1, NULL, 0) == srtp_err_status_bad_param);
  must(srtp_policy_add_key(policy, key, key_length, salt, salt_length, key, 1) == srtp_err_status_bad_param);
  must(srtp_policy_add_key(policy, key, key_length, salt, salt_length, NULL, 0) == srtp_err_status_ok);
  must(srtp_policy_add_key(policy, key, key_length, salt, salt_length, NULL, 0) == srtp_err_status_bad_param);
  must(srtp_create(&session, policy) == srtp_err_status_ok);
  /* The session must not need what the policy held. */
  srtp_policy_destroy(policy);
  return session;
}

static void rtp_of(uint8_t *packet, uint16_t sequence)
{
  const uint8_t head[12] = { 0x80, 96, sequence >> 8, sequence & 255, 0, 0, 0, 1, 0, 0, 0, 9 };
  memcpy(packet, head, sizeof(head));
  memset(packet + sizeof(head), 0x55, RTP_LENGTH - sizeof(head));
}

static void check(const char *name, srtp_profile_t profile)
{
  srtp_t sender = session_of(profile, ssrc_any_outbound);
  srtp_t receiver = session_of(profile, ssrc_any_inbound);
  uint8_t packet[CAPACITY], sent[CAPACITY], got[CAPACITY];
  size_t sent_length = CAPACITY, got_length = CAPACITY;

  rtp_of(packet, 1);
  must(srtp_protect(sender, packet, RTP_LENGTH, sent, &sent_length, 0) == srtp_err_status_ok);
  must(sent_length > RTP_LENGTH && memcmp(sent + 12, packet + 12, 16) != 0);
  must(srtp_unprotect(receiver, sent, sent_length, got, &got_length) == srtp_err_status_ok);
  must(got_length == RTP_LENGTH && memcmp(got, packet, RTP_LENGTH) == 0);
  const size_t tag_length = sent_length - RTP_LENGTH;

  got_length = CAPACITY;
  must(srtp_unprotect(receiver, sent, sent_length, got, &got_length) == srtp_err_status_replay_fail);
  must(got_length == CAPACITY);

  rtp_of(packet, 2);
  sent_length = CAPACITY;
  must(srtp_protect(sender, packet, RTP_LENGTH, sent, &sent_length, 0) == srtp_err_status_ok);
  sent[40] ^= 1;
  got_length = CAPACITY;
  must(srtp_unprotect(receiver, sent, sent_length, got, &got_length) == srtp_err_status_auth_fail);

  rtp_of(packet, 3);
  sent_length = RTP_LENGTH + SRTP_MAX_TRAILER_LEN - 1;
  must(srtp_protect(sender, packet, RTP_LENGTH, sent, &sent_length, 0) == srtp_err_status_buffer_small);
  got_length = 10;
  must(srtp_unprotect(receiver, sent, RTP_LENGTH, got, &got_length) == srtp_err_status_buffer_small);
  sent_length = CAPACITY;
  must(srtp_protect(sender, packet, RTP_LENGTH, sent, &sent_length, 1) == srtp_err_status_bad_mki);

  /* In place. */
  sent_length = CAPACITY;
  must(srtp_protect(sender, packet, RTP_LENGTH, packet, &sent_length, 0) == srtp_err_status_ok);
  got_length = CAPACITY;
  must(srtp_unprotect(receiver, packet, sent_length, packet, &got_length) == srtp_err_status_ok);
  must(got_length == RTP_LENGTH && packet[100] == 0x55);

  const uint8_t report[RTCP_LENGTH] = { 0x80, 200, 0, 6, 0, 0, 0, 9, 1, 2, 3 };
  sent_length = CAPACITY;
  must(srtp_protect_rtcp(sender, report, RTCP_LENGTH, sent, &sent_length, 0) == srtp_err_status_ok);
  got_length = CAPACITY;
  must(srtp_unprotect_rtcp(receiver, sent, sent_length, got, &got_length) == srtp_err_status_ok);
  must(got_length == RTCP_LENGTH && memcmp(got, report, RTCP_LENGTH) == 0);
  sent[12] ^= 1;
  must(srtp_unprotect_rtcp(receiver, sent, sent_length, got, &got_length) != srtp_err_status_ok);

  must(srtp_stream_remove(sender, htonl(9)) == srtp_err_status_ok);
  must(srtp_dealloc(sender) == srtp_err_status_ok);
  must(srtp_dealloc(receiver) == srtp_err_status_ok);
  printf("%s: %zu bytes more\n", name, tag_length);
}

int main(void)
{
  must(srtp_init() == srtp_err_status_ok);
  check("AEAD_AES_256_GCM", srtp_profile_aead_aes_256_gcm);
  check("AEAD_AES_128_GCM", srtp_profile_aead_aes_128_gcm);
  check("AES_CM_128_HMAC_SHA1_80", srtp_profile_aes128_cm_sha1_80);
  check("AES_CM_128_HMAC_SHA1_32", srtp_profile_aes128_cm_sha1_32);
  return 0;
}
