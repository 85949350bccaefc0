#pragma once

// GCC defines macros; clang before 22 has features.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TENON_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TENON_SANITIZED true
#endif
#endif
#ifndef TENON_SANITIZED
#define TENON_SANITIZED false
#endif

namespace tenon::testing_support {
inline constexpr bool kSanitized = TENON_SANITIZED;
}
