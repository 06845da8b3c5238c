// Copies of bits between ports.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace octopus {

// As copy_bits, if bits and their place are within 64 bits from the byte where they begin. Up to
// seven bytes after that are read, and written as they were.
inline bool copy_few_bits(uint8_t* to, uint32_t to_bit, const uint8_t* from, uint32_t from_bit,
                          uint32_t width) {
    uint64_t bits, word;
    std::memcpy(&bits, from + from_bit / 8, sizeof bits);
    std::memcpy(&word, to + to_bit / 8, sizeof word);
    const uint64_t mask = (~0ull >> (64 - width)) << to_bit % 8;
    const uint64_t value = (word & ~mask) | ((bits >> from_bit % 8 << to_bit % 8) & mask);
    if (value == word) return false;
    std::memcpy(to + to_bit / 8, &value, sizeof value);
    return true;
}

inline bool are_few_bits(uint32_t to_bit, uint32_t from_bit, uint32_t width) {
    return to_bit % 8 + width <= 64 && from_bit % 8 + width <= 64;
}

// Bits [from_bit, from_bit + width) of `from` into `to`; true if that changed anything.
inline bool copy_bits(uint8_t* to, uint32_t to_bit, const uint8_t* from, uint32_t from_bit,
               uint32_t width) {
    bool changed = false;
    while (width) {
        const uint32_t shift = to_bit % 8;
        const uint32_t step = std::min(8 - shift, width);
        const uint32_t low = from_bit % 8;
        uint32_t bits = from[from_bit / 8] >> low;
        if (low + step > 8) bits |= static_cast<uint32_t>(from[from_bit / 8 + 1]) << (8 - low);
        const uint32_t mask = ((1u << step) - 1) << shift;
        uint8_t& byte = to[to_bit / 8];
        const uint8_t value = static_cast<uint8_t>((byte & ~mask) | ((bits << shift) & mask));
        changed |= value != byte;
        byte = value;
        to_bit += step;
        from_bit += step;
        width -= step;
    }
    return changed;
}

}  // namespace octopus
