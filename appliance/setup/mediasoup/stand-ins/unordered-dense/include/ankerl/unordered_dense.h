// The names of ankerl::unordered_dense that the worker uses, for the containers of the standard library. Written for Weir; nothing of
// that library is in here. Elements are iterated in another order than there, and references outlive insertions: both are allowed.
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

namespace ankerl::unordered_dense
{
	// Transport tuples join the hashes of their fields by shifts. libstdc++'s hash of a number is the number, which makes most tuples
	// collide: so the bits are spread first (the finalizer of splitmix64).
	constexpr std::uint64_t spread(std::uint64_t bits) noexcept
	{
		bits += 0x9e3779b97f4a7c15u;
		bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
		bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;

		return bits ^ (bits >> 31);
	}

	template<typename T>
	struct hash
	{
		std::uint64_t operator()(const T& value) const noexcept
		{
			if constexpr (std::is_pointer_v<T>)
			{
				return spread(reinterpret_cast<std::uintptr_t>(value));
			}
			else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
			{
				return spread(static_cast<std::uint64_t>(value));
			}
			else
			{
				return std::hash<T>{}(value);
			}
		}
	};

	template<typename Key, typename Value, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using map = std::unordered_map<Key, Value, Hash, Equal>;

	template<typename Key, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using set = std::unordered_set<Key, Hash, Equal>;
} // namespace ankerl::unordered_dense
