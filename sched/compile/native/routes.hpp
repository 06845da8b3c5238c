// The steps of all routes, a tree for each net, and the resources that they take.
#pragma once

#include <vector>

#include "resources.hpp"

namespace octopus {

enum Kind { WIRE = 0, TURN = 1, COPY = 2, HOLD = 3, ENTRY = 4 };
enum How { RESULT = 0, STRAIGHT = 1, ROUTE = 2 };

// As in `fabric.py`. `source`: of a WIRE its direction, of a TURN or COPY where it takes the value,
// of an ENTRY its port. `from`: of a WIRE the time of its instruction.
struct Step {
    int kind, place, time, source, from, how;
    int parent;     // -1: the maker
    int children;   // steps and sinks after this one
    int last;       // of a HOLD: the last time at which it is read
    bool live;
};

// A word of a stream that comes in, or goes out, at a port.
struct PortUse {
    int node, time;
};

class Routes {
  public:
    const Problem& problem;
    Resources& resources;
    std::vector<std::vector<Step>> trees;                // by net
    std::vector<std::vector<PortUse>> inputs, outputs;   // by port
    std::vector<int> places, times;                      // of nodes; -1: none. A STORE's place: its port

    Routes(const Problem& p, Resources& r)
        : problem(p), resources(r), trees(p.nets.size()), inputs(p.ports), outputs(p.ports),
          places(p.nodes.size(), -1), times(p.nodes.size(), 0), written_(p.nodes.size(), 0) {}

    bool exact(const Step& step) const {
        return !problem.lenient || step.kind == ENTRY;
    }
    bool carried_hold(int net, const Step& step) const {
        return problem.nets[net].distance > 0 && step.parent < 0;
    }

    int add(int net, Step step) {
        auto& tree = trees[net];
        int index = -1;
        for (size_t i = 0; i < tree.size() && index < 0; i++)
            if (!tree[i].live) index = static_cast<int>(i);
        if (index < 0) index = static_cast<int>(tree.size()), tree.push_back(step);
        step.live = true, step.children = 0, step.last = step.time - 1;
        if (step.kind == HOLD && carried_hold(net, step)) hold(step, step.time + problem.interval - 1);
        tree[index] = step;
        if (step.parent >= 0) {
            tree[step.parent].children++;
            if (step.kind != HOLD) read(net, step.parent, step.time, step.kind, step.source);
        }
        take(net, tree[index], +1);
        return index;
    }
    // A sink reads the value; `give_back` undoes it.
    void attach(int net, int index, int time) {
        Step& step = trees[net][index];
        step.children++;
        if (step.kind == HOLD) hold(step, std::max(step.last, time));
    }
    void detach(int net, int index, const std::vector<int>& readers) {
        trees[net][index].children--;
        settle(net, index, readers);
        prune(net, index, readers);
    }

  private:
    std::vector<int> written_;  // by node: nets that read its register

    void read(int net, int parent, int time, int kind, int source) {
        Step& before = trees[net][parent];
        if (before.kind == HOLD && (kind == TURN || kind == COPY) && source == REGISTER)
            hold(before, std::max(before.last, time));
    }
    // Lets a register be taken until `last`.
    void hold(Step& step, int last) {
        for (; step.last < last; ++step.last)
            resources.registers.take(resources.at(step.last + 1, step.place));
        for (; step.last > last; --step.last)
            resources.registers.give(resources.at(step.last, step.place));
    }
    // After a reader has gone: the register is free after the last that is left.
    void settle(int net, int index, const std::vector<int>& readers) {
        Step& step = trees[net][index];
        if (step.kind != HOLD || (carried_hold(net, step) && step.children > 0)) return;
        int last = step.time - 1;
        if (step.children > 0) {
            for (const Step& other : trees[net])
                if (other.live && other.parent == index) last = std::max(last, other.time);
            for (size_t i = 0; i + 1 < readers.size(); i += 2)
                if (readers[i] == index) last = std::max(last, readers[i + 1]);
        }
        hold(step, last);
    }
    void prune(int net, int index, const std::vector<int>& readers) {
        auto& tree = trees[net];
        while (index >= 0 && tree[index].children == 0) {
            take(net, tree[index], -1);
            if (tree[index].kind == HOLD) hold(tree[index], tree[index].time - 1);
            tree[index].live = false;
            index = tree[index].parent;
            if (index >= 0) tree[index].children--, settle(net, index, readers);
        }
    }
    static void change(Resource& resource, int index, int sign) {
        if (sign > 0) resource.take(index);
        else resource.give(index);
    }
    void gate(int time, int place, bool exact, int sign) {
        if (sign > 0) resources.gates.take(resources.at(time, place), time, exact);
        else resources.gates.give(resources.at(time, place), time, exact);
    }
    void take(int net, const Step& step, int sign) {
        int at = resources.at(step.time, step.place);
        if (step.kind == WIRE) {
            change(resources.link, 4 * at + step.source, sign);
            change(resources.select, 4 * resources.at(step.from, step.place) + step.source, sign);
        } else if (step.kind == TURN) {
            change(resources.turn, at, sign);
            if (step.source == REGISTER) {
                change(resources.second, at, sign);
                gate(step.time, step.place, exact(step), sign);
            }
        } else if (step.kind == COPY) {
            change(resources.issue, at, sign);
            gate(step.time, step.place, exact(step), sign);
        } else if (step.kind == HOLD) {
            // What its maker writes is one register for all nets.
            int& writes = written_[problem.nets[net].producer];
            bool another = step.parent < 0 && (sign > 0 ? writes++ : --writes) > 0;
            if (!another) change(resources.landing, at, sign);
        } else if (step.kind == ENTRY) {
            change(resources.entry, problem.slot(step.time) * problem.ports + step.source, sign);
            gate(step.time, step.place, true, sign);
            auto& list = inputs[step.source];
            int node = problem.nets[net].producer;
            if (sign > 0) list.push_back({node, step.time});
            else
                for (size_t i = 0; i < list.size(); i++)
                    if (list[i].node == node && list[i].time == step.time) {
                        list.erase(list.begin() + static_cast<long>(i));
                        break;
                    }
        }
    }
};

// Words at one port: of one kind, and in an order that every trip keeps.
inline bool keep_turns(const Problem& problem, int node, int time, int other, int taken) {
    if (problem.nodes[node].kind != problem.nodes[other].kind) return false;
    if (problem.window == 1 || problem.stage(time) == problem.stage(taken)) return true;
    int apart = time > taken ? time - taken : taken - time;
    int end = problem.window * problem.interval;
    return apart < problem.interval && time < end && taken < end;
}

}  // namespace octopus
