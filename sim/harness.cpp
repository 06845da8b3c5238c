// The Verilated chip behind a small C interface, so that Python never runs a cycle itself.
//
// Compiled with -DMODEL=V<name> -DMODEL_HEADER="V<name>.h"; with TRACE defined it can record
// FST, with SAVABLE it can save and restore its state.

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include MODEL_HEADER
#include "verilated.h"
#ifdef TRACE
#include "verilated_fst_c.h"
#endif
#ifdef SAVABLE
#include "verilated_save.h"
#endif

// Verilator writes the double underscore of a flattened port as "___05F".
#define LITE(signal) top->axil___05F##signal
#define FULL(signal) top->axi___05F##signal

namespace {

constexpr int kTimeout = -1;
constexpr uint32_t kLinks = 8;               // of a cluster: two networks, four sides
constexpr uint32_t kWords = 32;              // of a cluster: four kinds of words of up to eight TBUs
constexpr uint32_t kPrivileged = 1;          // AxPROT of every access
constexpr uint64_t kAccessLimit = 1u << 20;  // cycles after which an access is given up
constexpr uint32_t kBurstBeats = 256;        // an AXI4 INCR burst's most
constexpr uint32_t kBoundary = 4096;         // a burst must not cross it

struct Event {
    uint64_t cycle;
    uint32_t word;
    uint32_t activity;
};

struct Chip {
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<MODEL> top = std::make_unique<MODEL>(context.get());
    uint64_t cycle = 0;
    std::vector<uint32_t> activity;  // the words shown last
    std::vector<Event> events;
    std::vector<uint64_t> flits;  // that left by each link, kLinks a cluster
    std::vector<uint64_t> words;  // that TBUs moved, kWords a cluster
#ifdef TRACE
    std::unique_ptr<VerilatedFstC> trace;
    uint64_t trace_first = 0;  // recorded cycles: from this one on
    uint64_t trace_end = 0;    // until before this one
    bool traced() const { return trace && cycle >= trace_first && cycle < trace_end; }
#endif

    // Settle the inputs that were driven; outputs may be read until rise().
    void settle() {
        top->clk = 0;
        top->eval();
#ifdef TRACE
        if (traced()) trace->dump(10 * cycle);
#endif
    }

    void rise() {
        top->clk = 1;
        top->eval();
#ifdef TRACE
        if (traced()) trace->dump(10 * cycle + 5);
#endif
        ++cycle;
        record();
    }

    void tick() {
        settle();
        rise();
    }

    void record() {
        const auto* now = reinterpret_cast<const uint32_t*>(&top->activity);
        const uint32_t count = activity.size();
        if (std::memcmp(now, activity.data(), count * sizeof *now)) {
            for (uint32_t word = 0; word < count; ++word) {
                if (now[word] != activity[word]) {
                    activity[word] = now[word];
                    events.push_back({cycle, word, now[word]});
                }
            }
        }
        tally(reinterpret_cast<const uint32_t*>(&top->link_activity), flits, kLinks);
        tally(reinterpret_cast<const uint32_t*>(&top->word_activity), words, kWords);
    }

    // Count the bits that are set in a word for each `bits` counts.
    static void tally(const uint32_t* shown, std::vector<uint64_t>& counts, uint32_t bits) {
        for (size_t first = 0; first < counts.size(); first += bits) {
            for (uint32_t left = *shown++; left; left &= left - 1)
                ++counts[first + __builtin_ctz(left)];
        }
    }

    // Clock until `ready` was seen at a rising edge; false if that takes too long.
    template <typename Ready>
    bool handshake(Ready ready) {
        for (uint64_t waited = 0; waited < kAccessLimit; ++waited) {
            settle();
            const bool taken = ready();
            rise();
            if (taken) return true;
        }
        return false;
    }
};

// Beats of the next burst of a transfer of `left` words at `address`.
uint32_t burst_beats(uint32_t address, uint32_t left) {
    const uint32_t to_boundary = (kBoundary - address % kBoundary) / 4;
    uint32_t beats = left < kBurstBeats ? left : kBurstBeats;
    return beats < to_boundary ? beats : to_boundary;
}

int write_burst(Chip& chip, uint32_t address, const uint32_t* words, uint32_t beats) {
    auto& top = chip.top;
    FULL(awaddr) = address;
    FULL(awlen) = beats - 1;
    FULL(awsize) = 2;
    FULL(awburst) = 1;
    FULL(awvalid) = 1;
    if (!chip.handshake([&] { return FULL(awready); })) return kTimeout;
    FULL(awvalid) = 0;
    FULL(wvalid) = 1;
    FULL(wstrb) = 15;
    for (uint32_t beat = 0; beat < beats; ++beat) {
        FULL(wdata) = words[beat];
        FULL(wlast) = beat + 1 == beats;
        if (!chip.handshake([&] { return FULL(wready); })) return kTimeout;
    }
    FULL(wvalid) = 0;
    FULL(bready) = 1;
    int response = 0;
    if (!chip.handshake([&] {
            response = FULL(bresp);
            return FULL(bvalid);
        }))
        return kTimeout;
    FULL(bready) = 0;
    return response;
}

int read_burst(Chip& chip, uint32_t address, uint32_t* words, uint32_t beats) {
    auto& top = chip.top;
    FULL(araddr) = address;
    FULL(arlen) = beats - 1;
    FULL(arsize) = 2;
    FULL(arburst) = 1;
    FULL(arvalid) = 1;
    if (!chip.handshake([&] { return FULL(arready); })) return kTimeout;
    FULL(arvalid) = 0;
    FULL(rready) = 1;
    int response = 0;
    for (uint32_t beat = 0; beat < beats; ++beat) {
        if (!chip.handshake([&] {
                words[beat] = FULL(rdata);
                if (FULL(rvalid) && FULL(rresp) > response) response = FULL(rresp);
                return FULL(rvalid);
            }))
            return kTimeout;
    }
    FULL(rready) = 0;
    return response;
}

}  // namespace

extern "C" {

// `activity_words`: of the output `activity`.
void* octopus_create(uint32_t activity_words, uint32_t clusters) {
    auto* chip = new Chip;
    chip->flits.assign(kLinks * clusters, 0);
    chip->words.assign(kWords * clusters, 0);
    chip->activity.assign(activity_words, 0);
    auto& top = chip->top;
    LITE(awprot) = LITE(arprot) = FULL(awprot) = FULL(arprot) = kPrivileged;
    return chip;
}

void octopus_destroy(void* handle) {
    auto* chip = static_cast<Chip*>(handle);
#ifdef TRACE
    if (chip->trace) chip->trace->close();
#endif
    chip->top->final();
    delete chip;
}

// Hold reset for `cycles`; time starts at zero afterwards.
void octopus_reset(void* handle, uint32_t cycles) {
    auto& chip = *static_cast<Chip*>(handle);
    chip.top->rst = 1;
    for (uint32_t i = 0; i < cycles; ++i) chip.tick();
    chip.top->rst = 0;
    chip.cycle = 0;
    chip.events.clear();
    chip.flits.assign(chip.flits.size(), 0);
    chip.words.assign(chip.words.size(), 0);
}

uint64_t octopus_cycles(void* handle) { return static_cast<Chip*>(handle)->cycle; }

void octopus_step(void* handle, uint64_t cycles) {
    auto& chip = *static_cast<Chip*>(handle);
    for (uint64_t i = 0; i < cycles; ++i) chip.tick();
}

// Run until the interrupt is high, at most `limit` cycles; 1 if it is high.
int octopus_wait(void* handle, uint64_t limit) {
    auto& chip = *static_cast<Chip*>(handle);
    chip.settle();
    for (uint64_t i = 0; i < limit && !chip.top->interrupt_line; ++i) chip.tick();
    return chip.top->interrupt_line;
}

// Register accesses: the AXI response, or -1 if the chip does not answer.
int octopus_write_register(void* handle, uint32_t address, uint32_t value) {
    auto& chip = *static_cast<Chip*>(handle);
    auto& top = chip.top;
    LITE(awaddr) = address;
    LITE(wdata) = value;
    LITE(wstrb) = 15;
    LITE(awvalid) = 1;
    LITE(wvalid) = 1;
    LITE(bready) = 1;
    int response = kTimeout;
    for (uint64_t waited = 0; waited < kAccessLimit && response < 0; ++waited) {
        chip.settle();
        const bool address_taken = LITE(awready), data_taken = LITE(wready);
        if (LITE(bvalid)) response = LITE(bresp);
        chip.rise();
        if (address_taken) LITE(awvalid) = 0;
        if (data_taken) LITE(wvalid) = 0;
    }
    LITE(bready) = 0;
    return response;
}

int octopus_read_register(void* handle, uint32_t address, uint32_t* value) {
    auto& chip = *static_cast<Chip*>(handle);
    auto& top = chip.top;
    LITE(araddr) = address;
    LITE(arvalid) = 1;
    if (!chip.handshake([&] { return LITE(arready); })) return kTimeout;
    LITE(arvalid) = 0;
    LITE(rready) = 1;
    int response = kTimeout;
    if (!chip.handshake([&] {
            *value = LITE(rdata);
            response = LITE(rresp);
            return LITE(rvalid);
        }))
        return kTimeout;
    LITE(rready) = 0;
    return response;
}

// Window accesses of `count` words: the worst AXI response, or -1 if the chip does not answer.
int octopus_write_memory(void* handle, uint32_t address, const uint32_t* words, uint32_t count) {
    auto& chip = *static_cast<Chip*>(handle);
    int worst = 0;
    while (count) {
        const uint32_t beats = burst_beats(address, count);
        const int response = write_burst(chip, address, words, beats);
        if (response < 0) return response;
        if (response > worst) worst = response;
        address += 4 * beats;
        words += beats;
        count -= beats;
    }
    return worst;
}

int octopus_read_memory(void* handle, uint32_t address, uint32_t* words, uint32_t count) {
    auto& chip = *static_cast<Chip*>(handle);
    int worst = 0;
    while (count) {
        const uint32_t beats = burst_beats(address, count);
        const int response = read_burst(chip, address, words, beats);
        if (response < 0) return response;
        if (response > worst) worst = response;
        address += 4 * beats;
        words += beats;
        count -= beats;
    }
    return worst;
}

// Recorded changes of the words of activity, oldest first.
uint64_t octopus_event_count(void* handle) { return static_cast<Chip*>(handle)->events.size(); }

const Event* octopus_events(void* handle) { return static_cast<Chip*>(handle)->events.data(); }

// Run until a word of activity changes or the interrupt is high, at most `limit` cycles:
// 2 for a change, 1 for the interrupt, 0 for the limit.
int octopus_wait_event(void* handle, uint64_t limit) {
    auto& chip = *static_cast<Chip*>(handle);
    const size_t before = chip.events.size();
    chip.settle();
    for (uint64_t i = 0; i < limit; ++i) {
        if (chip.top->interrupt_line) return 1;
        chip.tick();
        if (chip.events.size() != before) return 2;
    }
    return chip.top->interrupt_line;
}

// Save the state of model, clock and recorded events to a file; 0 if the library or file cannot.
int octopus_save(void* handle, const char* path) {
#ifdef SAVABLE
    auto& chip = *static_cast<Chip*>(handle);
    VerilatedSave file;
    file.open(path);
    if (!file.isOpen()) return 0;
    file << *chip.top;
    const uint64_t count = chip.events.size();
    file.write(&chip.cycle, sizeof chip.cycle);
    file.write(&count, sizeof count);
    file.write(chip.activity.data(), chip.activity.size() * sizeof(uint32_t));
    file.write(chip.events.data(), count * sizeof(Event));
    file.write(chip.flits.data(), chip.flits.size() * sizeof(uint64_t));
    file.write(chip.words.data(), chip.words.size() * sizeof(uint64_t));
    file.close();
    return 1;
#else
    (void)handle;
    (void)path;
    return 0;
#endif
}

// The reverse, into a chip of the same library.
int octopus_restore(void* handle, const char* path) {
#ifdef SAVABLE
    auto& chip = *static_cast<Chip*>(handle);
    VerilatedRestore file;
    file.open(path);
    if (!file.isOpen()) return 0;
    file >> *chip.top;
    uint64_t count = 0;
    file.read(&chip.cycle, sizeof chip.cycle);
    file.read(&count, sizeof count);
    chip.events.resize(count);
    file.read(chip.activity.data(), chip.activity.size() * sizeof(uint32_t));
    file.read(chip.events.data(), count * sizeof(Event));
    file.read(chip.flits.data(), chip.flits.size() * sizeof(uint64_t));
    file.read(chip.words.data(), chip.words.size() * sizeof(uint64_t));
    file.close();
    return 1;
#else
    (void)handle;
    (void)path;
    return 0;
#endif
}

// Flits that left by each link since reset, kLinks a cluster.
const uint64_t* octopus_flits(void* handle) { return static_cast<Chip*>(handle)->flits.data(); }

// Words that each TBU moved since reset, by kind, kWords a cluster.
const uint64_t* octopus_words(void* handle) { return static_cast<Chip*>(handle)->words.data(); }

// Start an FST recording of cycles `first` to before `end` (path given) or end it (null); 0 if the
// library cannot record.
int octopus_trace(void* handle, const char* path, uint64_t first, uint64_t end) {
#ifdef TRACE
    auto& chip = *static_cast<Chip*>(handle);
    if (chip.trace) {
        chip.trace->close();
        chip.trace.reset();
    }
    if (path) {
        chip.context->traceEverOn(true);
        chip.trace = std::make_unique<VerilatedFstC>();
        chip.top->trace(chip.trace.get(), 99);
        chip.trace->open(path);
        chip.trace_first = first;
        chip.trace_end = end;
    }
    return 1;
#else
    (void)handle;
    (void)path;
    (void)first;
    (void)end;
    return 0;
#endif
}

}  // extern "C"
