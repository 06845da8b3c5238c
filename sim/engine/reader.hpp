// Reads the words that sim/engine/tables.py wrote.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>

namespace octopus {

class Reader {
  public:
    explicit Reader(const uint8_t* at) : at_(at) {}
    uint32_t word() {
        uint32_t value;
        std::memcpy(&value, at_, 4);
        at_ += 4;
        return value;
    }
    std::string text() {
        const uint32_t size = word();
        std::string value(reinterpret_cast<const char*>(at_), size);
        at_ += (size + 3) / 4 * 4;
        return value;
    }

  private:
    const uint8_t* at_;
};

}  // namespace octopus
