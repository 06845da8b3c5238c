// Records what the parts of a chip hold as an FST waveform, straight from their state.
#pragma once

#include <string>
#include <vector>

#include "engine.hpp"
#include "fstcpp/fstcpp_writer.h"

namespace octopus {

class Recorder {
  public:
    Recorder(const Engine& engine, const char* path) : engine_(engine), writer_(std::string(path)) {
        writer_.setTimecale(-12);
        writer_.setWriter("octopus");
        open_scopes({"TOP"});
        clock_ = variable("clk", 1);
        for (uint32_t i = 1; i < engine.instance_count(); ++i) declare(i);
        open_scopes({});
    }

    // All values at a time, of which odd multiples of 5 are after a rising clock edge.
    void dump(uint64_t time) {
        writer_.emitTimeChange(time);
        const uint64_t high = time % 10 != 0;
        if (high != last_clock_) writer_.emitValueChange(clock_, high);
        last_clock_ = high;
        for (uint32_t i = 1; i < engine_.instance_count(); ++i) dump_instance(i);
        first_ = false;
    }

    void close() { writer_.close(); }

  private:
    struct Signal {
        fst::Handle handle;
        uint32_t offset, width;
    };

    fst::Handle variable(const std::string& name, uint32_t width) {
        return writer_.createVar(fst::Hierarchy::VarType::VCD_WIRE,
                                 fst::Hierarchy::VarDirection::IMPLICIT, width, name, 0);
    }

    // Leave and enter scopes until those of `path` are open.
    void open_scopes(const std::vector<std::string>& path) {
        size_t common = 0;
        while (common < path.size() && common < open_.size() && path[common] == open_[common])
            ++common;
        for (; open_.size() > common; open_.pop_back()) writer_.upscope();
        for (; open_.size() < path.size(); open_.push_back(path[open_.size()]))
            writer_.setScope(fst::Hierarchy::ScopeType::VCD_MODULE, path[open_.size()], "");
    }

    void declare(uint32_t index) {
        const auto& part = *engine_.instance(index).part;
        std::vector<std::string> base = {"TOP"};
        split(engine_.path(index), base);
        auto& signals = signals_.emplace_back();
        open_scopes(base);
        for (uint32_t i = 0; i < part.port_count; ++i)
            add(signals, part.ports[i].name, part.ports[i].offset, part.ports[i].width);
        for (uint32_t i = 0; i < part.variable_count; ++i) {
            auto path = base;
            split(part.variables[i].name, path);
            const std::string name = path.back();
            path.pop_back();
            open_scopes(path);
            add(signals, name, part.variables[i].offset, part.variables[i].width);
        }
        before_.emplace_back(part.state_bytes);
    }

    void add(std::vector<Signal>& signals, const std::string& name, uint32_t offset,
             uint32_t width) {
        signals.push_back({variable(name, width), offset, width});
    }

    static void split(const std::string& dotted, std::vector<std::string>& words) {
        for (size_t start = 0; start < dotted.size();) {
            const size_t end = std::min(dotted.find('.', start), dotted.size());
            words.push_back(dotted.substr(start, end - start));
            start = end + 1;
        }
    }

    void dump_instance(uint32_t index) {
        const auto& instance = engine_.instance(index);
        auto& before = before_[index - 1];
        if (!first_ && !std::memcmp(before.data(), instance.state, before.size())) return;
        for (const auto& signal : signals_[index - 1]) {
            const uint8_t* now = instance.state + signal.offset;
            const uint32_t bytes = (signal.width + 7) / 8;
            if (!first_ && !std::memcmp(&before[signal.offset], now, bytes)) continue;
            if (signal.width <= 64) {
                uint64_t value = 0;
                std::memcpy(&value, now, bytes);
                writer_.emitValueChange(signal.handle, value);
            } else {
                writer_.emitValueChange(signal.handle, reinterpret_cast<const uint32_t*>(now));
            }
        }
        std::memcpy(before.data(), instance.state, before.size());
    }

    const Engine& engine_;
    fst::Writer writer_;
    fst::Handle clock_;
    uint64_t last_clock_ = 2;
    bool first_ = true;
    std::vector<std::string> open_;
    std::vector<std::vector<Signal>> signals_;
    std::vector<std::vector<uint8_t>> before_;
};

}  // namespace octopus
