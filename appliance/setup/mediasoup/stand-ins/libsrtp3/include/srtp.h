/*
 * <srtp.h> as the worker expects it of libsrtp 3, on top of libsrtp 2. Types and error codes are those of libsrtp 2; where the two
 * differ, the function has a name of its own here and the one of libsrtp 3 is a macro:
 *
 *  - a policy is an object with setters instead of a struct,
 *  - packets are read from one buffer and written to another, whose size is checked.
 *
 * No MKI, no encrypted header extensions, no cryptex: the worker asks for none of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <srtp2/srtp.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The codes that libsrtp 2 lacks; its own end at 27. */
#define srtp_err_status_buffer_small ((srtp_err_status_t)28)
#define srtp_err_status_cryptex_err ((srtp_err_status_t)29)

typedef struct weir_srtp_policy *weir_srtp_policy_t;

srtp_err_status_t weir_srtp_policy_create(weir_srtp_policy_t *policy);
void weir_srtp_policy_destroy(weir_srtp_policy_t policy);
srtp_err_status_t weir_srtp_policy_set_ssrc(weir_srtp_policy_t policy, srtp_ssrc_t ssrc);
srtp_err_status_t weir_srtp_policy_set_profile(weir_srtp_policy_t policy, srtp_profile_t profile);
srtp_err_status_t weir_srtp_policy_set_allow_repeat_tx(weir_srtp_policy_t policy, bool is_allowed);
srtp_err_status_t weir_srtp_policy_set_window_size(weir_srtp_policy_t policy, size_t packets);

/* Once, after set_profile, with the lengths of that profile. */
srtp_err_status_t weir_srtp_policy_add_key(
  weir_srtp_policy_t policy,
  const uint8_t *key,
  size_t key_length,
  const uint8_t *salt,
  size_t salt_length,
  const uint8_t *mki,
  size_t mki_length);

/* Copies what it needs of the policy. */
srtp_err_status_t weir_srtp_create(srtp_t *session, weir_srtp_policy_t policy);

/* In network byte order, as in libsrtp 2. */
srtp_err_status_t weir_srtp_stream_remove(srtp_t session, uint32_t ssrc);

/* Source and target may be one buffer. *target_length: its size before, the packet's length after. */
srtp_err_status_t weir_srtp_protect(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length, size_t mki_index);
srtp_err_status_t weir_srtp_protect_rtcp(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length, size_t mki_index);
srtp_err_status_t weir_srtp_unprotect(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length);
srtp_err_status_t weir_srtp_unprotect_rtcp(
  srtp_t session, const uint8_t *source, size_t length, uint8_t *target, size_t *target_length);

#ifdef __cplusplus
}
#endif

#ifndef WEIR_SRTP_ADAPTER
#define srtp_policy_t weir_srtp_policy_t
#define srtp_policy_create weir_srtp_policy_create
#define srtp_policy_destroy weir_srtp_policy_destroy
#define srtp_policy_set_ssrc weir_srtp_policy_set_ssrc
#define srtp_policy_set_profile weir_srtp_policy_set_profile
#define srtp_policy_set_allow_repeat_tx weir_srtp_policy_set_allow_repeat_tx
#define srtp_policy_set_window_size weir_srtp_policy_set_window_size
#define srtp_policy_add_key weir_srtp_policy_add_key
#define srtp_create weir_srtp_create
#define srtp_stream_remove weir_srtp_stream_remove
#define srtp_protect weir_srtp_protect
#define srtp_protect_rtcp weir_srtp_protect_rtcp
#define srtp_unprotect weir_srtp_unprotect
#define srtp_unprotect_rtcp weir_srtp_unprotect_rtcp
#endif
