/* libsrtp 3's calls by libsrtp 2: see include/srtp.h. */

#define WEIR_SRTP_ADAPTER
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "srtp.h"

/* By how much RTCP grows beside its tag: the word with the E bit and the index. */
#define RTCP_INDEX_LENGTH 4

struct weir_srtp_policy {
  srtp_policy_t policy;
  srtp_profile_t profile;
  bool has_profile;
  bool has_key;
  /* As libsrtp 2 takes it: the key, and the salt right after it. */
  unsigned char key_and_salt[SRTP_MAX_KEY_LEN];
};

srtp_err_status_t weir_srtp_policy_create(weir_srtp_policy_t *policy)
{
  if (policy == NULL) return srtp_err_status_bad_param;
  *policy = calloc(1, sizeof(**policy));
  return *policy == NULL ? srtp_err_status_alloc_fail : srtp_err_status_ok;
}

void weir_srtp_policy_destroy(weir_srtp_policy_t policy)
{
  if (policy == NULL) return;
  explicit_bzero(policy, sizeof(*policy));
  free(policy);
}

srtp_err_status_t weir_srtp_policy_set_ssrc(weir_srtp_policy_t policy, srtp_ssrc_t ssrc)
{
  policy->policy.ssrc = ssrc;
  return srtp_err_status_ok;
}

srtp_err_status_t weir_srtp_policy_set_profile(weir_srtp_policy_t policy, srtp_profile_t profile)
{
  /* Refused where this libsrtp 2 was built without AES-GCM and the profile needs it. */
  srtp_err_status_t status = srtp_crypto_policy_set_from_profile_for_rtp(&policy->policy.rtp, profile);
  if (status == srtp_err_status_ok) {
    status = srtp_crypto_policy_set_from_profile_for_rtcp(&policy->policy.rtcp, profile);
  }
  policy->profile = profile;
  policy->has_profile = status == srtp_err_status_ok;
  return status;
}

srtp_err_status_t weir_srtp_policy_set_allow_repeat_tx(weir_srtp_policy_t policy, bool is_allowed)
{
  policy->policy.allow_repeat_tx = is_allowed;
  return srtp_err_status_ok;
}

srtp_err_status_t weir_srtp_policy_set_window_size(weir_srtp_policy_t policy, size_t packets)
{
  policy->policy.window_size = packets;
  return srtp_err_status_ok;
}

srtp_err_status_t weir_srtp_policy_add_key(
  weir_srtp_policy_t policy,
  const uint8_t *key,
  size_t key_length,
  const uint8_t *salt,
  size_t salt_length,
  const uint8_t *mki,
  size_t mki_length)
{
  if (policy->has_key || !policy->has_profile) return srtp_err_status_bad_param;
  if (mki != NULL || mki_length != 0) return srtp_err_status_bad_param;
  /* libsrtp 2 is told no lengths, it reads as many bytes as the profile says. */
  if (key_length != srtp_profile_get_master_key_length(policy->profile)) return srtp_err_status_bad_param;
  if (salt_length != srtp_profile_get_master_salt_length(policy->profile)) return srtp_err_status_bad_param;
  if (key_length + salt_length > sizeof(policy->key_and_salt)) return srtp_err_status_bad_param;
  memcpy(policy->key_and_salt, key, key_length);
  memcpy(policy->key_and_salt + key_length, salt, salt_length);
  policy->has_key = true;
  return srtp_err_status_ok;
}

srtp_err_status_t weir_srtp_create(srtp_t *session, weir_srtp_policy_t policy)
{
  if (session == NULL || policy == NULL || !policy->has_key) return srtp_err_status_bad_param;
  /* Session keys are derived at once; nothing points here afterwards. */
  policy->policy.key = policy->key_and_salt;
  return srtp_create(session, &policy->policy);
}

srtp_err_status_t weir_srtp_stream_remove(srtp_t session, uint32_t ssrc)
{
  return srtp_remove_stream(session, ssrc);
}

typedef srtp_err_status_t (*in_place_call)(srtp_t, void *, int *);

/* libsrtp 2 works where the packet lies and trusts that there is room behind it: `growth` at most. */
static srtp_err_status_t convert(
  in_place_call call,
  size_t growth,
  srtp_t session,
  const uint8_t *source,
  size_t length,
  uint8_t *target,
  size_t *target_length)
{
  if (length > (size_t)INT_MAX - growth) return srtp_err_status_bad_param;
  if (*target_length < length + growth) return srtp_err_status_buffer_small;
  if (target != source) memmove(target, source, length);
  int converted = (int)length;
  const srtp_err_status_t status = call(session, target, &converted);
  if (status == srtp_err_status_ok) *target_length = (size_t)converted;
  return status;
}

srtp_err_status_t weir_srtp_protect(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length, size_t mki_index)
{
  if (mki_index != 0) return srtp_err_status_bad_mki;
  return convert(srtp_protect, SRTP_MAX_TRAILER_LEN, session, source, length, target, target_length);
}

srtp_err_status_t weir_srtp_protect_rtcp(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length, size_t mki_index)
{
  if (mki_index != 0) return srtp_err_status_bad_mki;
  const size_t growth = SRTP_MAX_TRAILER_LEN + RTCP_INDEX_LENGTH;
  return convert(srtp_protect_rtcp, growth, session, source, length, target, target_length);
}

srtp_err_status_t weir_srtp_unprotect(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length)
{
  return convert(srtp_unprotect, 0, session, source, length, target, target_length);
}

srtp_err_status_t weir_srtp_unprotect_rtcp(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length)
{
  return convert(srtp_unprotect_rtcp, 0, session, source, length, target, target_length);
}
