// A bare C++ host: repeats recorded accesses on a simulation library and tells how long it took.
//
//     simulation_replay LIBRARY ACTIVITY_WORDS CLUSTERS RECORD
//
// RECORD holds 32-bit words: operation, address or the limit's lower half, count or upper half,
// then, for writes to memory, the words. Prints CPU seconds and cycles.

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <vector>

namespace {

enum Operation : uint32_t { kWriteRegister, kReadRegister, kWriteMemory, kReadMemory, kWait, kStart };

template <typename Function>
Function* find(void* library, const char* name) {
    void* found = dlsym(library, name);
    if (!found) {
        std::fprintf(stderr, "no %s in the library\n", name);
        std::exit(2);
    }
    return reinterpret_cast<Function*>(found);
}

double seconds() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5) return 2;
    void* library = dlopen(argv[1], RTLD_NOW);
    if (!library) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    auto* create = find<void*(uint32_t, uint32_t, uint32_t)>(library, "octopus_create");
    auto* reset = find<void(void*, uint32_t)>(library, "octopus_reset");
    auto* cycles = find<uint64_t(void*)>(library, "octopus_cycles");
    auto* wait = find<int(void*, uint64_t)>(library, "octopus_wait");
    auto* write_register = find<int(void*, uint32_t, uint32_t)>(library, "octopus_write_register");
    auto* read_register = find<int(void*, uint32_t, uint32_t*)>(library, "octopus_read_register");
    auto* write_memory =
        find<int(void*, uint32_t, const uint32_t*, uint32_t)>(library, "octopus_write_memory");
    auto* read_memory =
        find<int(void*, uint32_t, uint32_t*, uint32_t)>(library, "octopus_read_memory");

    std::ifstream file(argv[4], std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    const auto* word = reinterpret_cast<const uint32_t*>(bytes.data());
    const auto* end = word + bytes.size() / sizeof(uint32_t);
    std::vector<uint32_t> read(1 << 20);

    void* chip = create(std::atoi(argv[2]), std::atoi(argv[3]), 1);
    reset(chip, 4);
    double start = seconds();
    uint64_t first = 0;
    while (word < end) {
        const uint32_t operation = word[0], address = word[1], count = word[2];
        word += 3;
        switch (operation) {
            case kWriteRegister: write_register(chip, address, count); break;
            case kReadRegister: read_register(chip, address, read.data()); break;
            case kWriteMemory:
                write_memory(chip, address, word, count);
                word += count;
                break;
            case kReadMemory: read_memory(chip, address, read.data(), count); break;
            case kWait: wait(chip, address | static_cast<uint64_t>(count) << 32); break;
            case kStart:
                start = seconds();
                first = cycles(chip);
                break;
            default: return 2;
        }
    }
    std::printf("%.6f %llu\n", seconds() - start,
                static_cast<unsigned long long>(cycles(chip) - first));
    return 0;
}
