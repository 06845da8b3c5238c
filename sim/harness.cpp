// The Verilated chip behind a small C interface, so that Python never runs a cycle itself.
//
// Compiled with -DMODEL=V<name> -DMODEL_HEADER="V<name>.h"; with TRACE defined it can record
// FST, with SAVABLE it can save and restore its state. With PARTS defined the model is the engine
// of sim/engine, which has the same ports.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include MODEL_HEADER
#include "verilated.h"
#if defined(TRACE) && defined(PARTS)
#include "recorder.hpp"
#elif defined(TRACE)
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
#ifdef PARTS
    explicit Chip(uint32_t threads) : top(std::make_unique<MODEL>(threads)) {}
    std::unique_ptr<MODEL> top;
#else
    explicit Chip(uint32_t) : top(std::make_unique<MODEL>(context.get())) {}
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<MODEL> top;
#endif
    uint64_t cycle = 0;
    bool tallying = false;           // something was counted in the last cycle
    std::vector<uint32_t> activity;  // the words shown last
    std::vector<Event> events;
    std::vector<uint64_t> flits;  // that left by each link, kLinks a cluster
    std::vector<uint64_t> words;  // that TBUs moved, kWords a cluster
#ifdef TRACE
#ifdef PARTS
    std::unique_ptr<octopus::Recorder> trace;
#else
    std::unique_ptr<VerilatedFstC> trace;
#endif
    uint64_t trace_first = 0;  // recorded cycles: from this one on
    uint64_t trace_end = 0;    // until before this one
    bool traced() const { return trace && cycle >= trace_first && cycle < trace_end; }
    bool recording() const { return trace != nullptr; }
#else
    bool recording() const { return false; }
#endif

    // Settle the inputs that were driven; outputs may be read until rise().
    void settle() {
#ifdef PARTS
        top->engine.settle();
#else
        top->clk = 0;
        top->eval();
#endif
#ifdef TRACE
        if (traced()) trace->dump(10 * cycle);
#endif
    }

    void rise() {
#ifdef PARTS
        top->engine.edge();
#else
        top->clk = 1;
        top->eval();
#endif
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

    // Clock `cycles` times, or fewer if `stop` is true after one of them. If nothing is left to
    // happen, time goes on at once.
    template <typename Stop>
    void run(uint64_t cycles, Stop stop) {
        const uint64_t end = cycle + cycles;
        while (cycle < end) {
            tick();
            if (stop()) return;
#ifdef PARTS
            if (top->engine.resting() && !tallying && !recording()) cycle = end;
#endif
        }
    }

    void record() {
#ifdef PARTS
        if (!top->engine.take_change() && !tallying) return;
#endif
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
        tallying = tally(reinterpret_cast<const uint32_t*>(&top->link_activity), flits, kLinks);
        tallying |= tally(reinterpret_cast<const uint32_t*>(&top->word_activity), words, kWords);
    }

    // Count the bits that are set in a word for each `bits` counts; whether there are any.
    static bool tally(const uint32_t* shown, std::vector<uint64_t>& counts, uint32_t bits) {
        uint32_t any = 0;
        for (size_t first = 0; first < counts.size(); first += bits) {
            uint32_t left = *shown++;
            any |= left;
            for (; left; left &= left - 1) ++counts[first + __builtin_ctz(left)];
        }
        return any;
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

#ifdef PARTS
#define CAN_SAVE 1

// Files with the state of this very library: its identity comes first.
class Save {
  public:
    explicit Save(const char* path) : file_(std::fopen(path, "wb")) {
        if (file_) write(IDENTITY, sizeof IDENTITY);
    }
    bool isOpen() const { return file_ != nullptr; }
    void write(const void* data, size_t bytes) {
        good_ = good_ && (bytes == 0 || std::fwrite(data, bytes, 1, file_) == 1);
    }
    void model(Chip& chip) {
        chip.top->engine.visit_state([&](uint8_t* at, size_t bytes) { write(at, bytes); });
    }
    int end() { return (std::fclose(file_) == 0) & good_; }

  private:
    std::FILE* file_;
    bool good_ = true;
};

// Holds the file in memory, so that a chip is only touched by one that fits.
class Restore {
  public:
    explicit Restore(const char* path) {
        std::ifstream file(path, std::ios::binary);
        data_.assign(std::istreambuf_iterator<char>(file), {});
    }
    bool fits(Chip& chip) const {
        if (data_.size() < sizeof IDENTITY || std::memcmp(data_.data(), IDENTITY, sizeof IDENTITY))
            return false;
        size_t size = sizeof IDENTITY;
        chip.top->engine.visit_state([&](uint8_t*, size_t bytes) { size += bytes; });
        size += sizeof chip.cycle;
        uint64_t count = 0;
        if (data_.size() < size + sizeof count) return false;
        std::memcpy(&count, &data_[size], sizeof count);
        size += sizeof count + chip.activity.size() * sizeof(uint32_t);
        size += (chip.flits.size() + chip.words.size()) * sizeof(uint64_t);
        return data_.size() >= size && (data_.size() - size) / sizeof(Event) == count &&
               (data_.size() - size) % sizeof(Event) == 0;
    }
    void read(void* to, size_t bytes) {
        if (bytes) std::memcpy(to, &data_[at_], bytes);
        at_ += bytes;
    }
    void model(Chip& chip) {
        chip.top->engine.visit_state([&](uint8_t* at, size_t bytes) { read(at, bytes); });
        chip.top->engine.wake_all();
    }
    int end() { return 1; }

  private:
    std::vector<char> data_;
    size_t at_ = sizeof IDENTITY;
};
#elif defined(SAVABLE)
#define CAN_SAVE 1

class Save {
  public:
    explicit Save(const char* path) { file_.open(path); }
    bool isOpen() const { return file_.isOpen(); }
    void write(const void* data, size_t bytes) { file_.write(data, bytes); }
    void model(Chip& chip) { file_ << *chip.top; }
    int end() {
        file_.close();
        return 1;
    }

  private:
    VerilatedSave file_;
};

class Restore {
  public:
    explicit Restore(const char* path) { file_.open(path); }
    bool fits(Chip&) const { return file_.isOpen(); }
    void read(void* data, size_t bytes) { file_.read(data, bytes); }
    void model(Chip& chip) { file_ >> *chip.top; }
    int end() {
        file_.close();
        return 1;
    }

  private:
    VerilatedRestore file_;
};
#endif

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

#pragma GCC visibility push(default)
extern "C" {

// `activity_words`: of the output `activity`. `threads`: of a library in parts.
void* octopus_create(uint32_t activity_words, uint32_t clusters, uint32_t threads) {
    auto* chip = new Chip(threads);
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
#ifndef PARTS
    chip->top->final();
#endif
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
    chip.run(cycles, [] { return false; });
}

// Run until the interrupt is high, at most `limit` cycles; 1 if it is high.
int octopus_wait(void* handle, uint64_t limit) {
    auto& chip = *static_cast<Chip*>(handle);
    chip.settle();
    if (!chip.top->interrupt_line)
        chip.run(limit, [&] { return bool(chip.top->interrupt_line); });
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
    if (chip.top->interrupt_line) return 1;
    chip.run(limit, [&] { return chip.top->interrupt_line || chip.events.size() != before; });
    if (chip.events.size() != before) return 2;
    return chip.top->interrupt_line;
}

// Save the state of model, clock and recorded events to a file; 0 if the library or file cannot.
int octopus_save(void* handle, const char* path) {
#ifdef CAN_SAVE
    auto& chip = *static_cast<Chip*>(handle);
    Save file(path);
    if (!file.isOpen()) return 0;
    file.model(chip);
    const uint64_t count = chip.events.size();
    file.write(&chip.cycle, sizeof chip.cycle);
    file.write(&count, sizeof count);
    file.write(chip.activity.data(), chip.activity.size() * sizeof(uint32_t));
    file.write(chip.events.data(), count * sizeof(Event));
    file.write(chip.flits.data(), chip.flits.size() * sizeof(uint64_t));
    file.write(chip.words.data(), chip.words.size() * sizeof(uint64_t));
    return file.end();
#else
    (void)handle;
    (void)path;
    return 0;
#endif
}

// The reverse, into a chip of the same library.
int octopus_restore(void* handle, const char* path) {
#ifdef CAN_SAVE
    auto& chip = *static_cast<Chip*>(handle);
    Restore file(path);
    if (!file.fits(chip)) return 0;
    file.model(chip);
    uint64_t count = 0;
    file.read(&chip.cycle, sizeof chip.cycle);
    file.read(&count, sizeof count);
    chip.events.resize(count);
    file.read(chip.activity.data(), chip.activity.size() * sizeof(uint32_t));
    file.read(chip.events.data(), count * sizeof(Event));
    file.read(chip.flits.data(), chip.flits.size() * sizeof(uint64_t));
    file.read(chip.words.data(), chip.words.size() * sizeof(uint64_t));
    chip.tallying = true;
    return file.end();
#else
    (void)handle;
    (void)path;
    return 0;
#endif
}

// Count evaluations from now on; the counts by part: name, evaluations at an edge, by themselves, and
// the time both took, in ticks of the processor. 0 if the library has no parts.
uint32_t octopus_profile(void* handle, int start, const char** names, uint64_t* counts) {
#ifdef PARTS
    auto& engine = static_cast<Chip*>(handle)->top->engine;
    if (start) engine.count_evaluations();
    return names ? engine.profile(names, counts) : engine.part_count();
#else
    (void)handle;
    (void)start;
    (void)names;
    (void)counts;
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
#ifdef PARTS
        chip.trace = std::make_unique<octopus::Recorder>(chip.top->engine, path);
#else
        chip.context->traceEverOn(true);
        chip.trace = std::make_unique<VerilatedFstC>();
        chip.top->trace(chip.trace.get(), 99);
        chip.trace->open(path);
#endif
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
#pragma GCC visibility pop
