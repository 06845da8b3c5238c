"""What an RTL user expects beside the Verilog of a chip: core file, constraints, headers."""

import json

from .chip import Chip
from .emit import EmittedModule
from .host.register_documents import c_header
from .host.register_exports import svd, system_rdl
from .wrapper import PortNames, template

CLOCK_MHZ = 100.0
"""Default of the clock in the constraints."""


def package_files(
    chip: Chip,
    modules: list[EmittedModule],
    names: PortNames,
    clock_mhz: float = CLOCK_MHZ,
) -> dict[str, str]:
    """Files by name. They begin with the wrapper's name, ``octopus_NAME``, or are the header.

    Parameters
    ----------
    modules: all modules in the order of the file list, the wrapper last.
    names: of the wrapper's ports. clock_mhz: in the constraints.
    """
    top = modules[-1].name
    return {
        "octopus_registers.h": c_header(),
        "octopus_registers.rdl": system_rdl(),
        "octopus_registers.svd": svd(),
        f"{top}.core": _core(top, [f"{module.name}.v" for module in modules]),
        f"{top}.sdc": _sdc(names, clock_mhz),
        f"{top}.lpf": f'FREQUENCY PORT "{names.clock}" {clock_mhz:g} MHZ;\n',
        f"{top}_instance.vh": template(chip, names),
    }


def _core(top: str, files: list[str]) -> str:
    """A core file of FuseSoC (CAPI 2), which is YAML: strings are written as JSON has them."""
    quoted = "".join(f"      - {json.dumps(name)}\n" for name in files)
    headers = '      - "octopus_registers.h": {is_include_file: true, file_type: user}\n'
    return (
        "CAPI=2:\n"
        f"name: octopus-accelerator:chip:{top}:0\n"
        "description: Octopus, a scale-out spatial accelerator (generated)\n"
        "filesets:\n"
        "  rtl:\n"
        "    files:\n"
        f"{quoted}"
        "    file_type: verilogSource\n"
        "  software:\n"
        "    files:\n"
        f"{headers}"
        "targets:\n"
        "  default: &default\n"
        "    filesets: [rtl]\n"
        f"    toplevel: {top}\n"
        "  lint:\n"
        "    <<: *default\n"
        "    default_tool: verilator\n"
        "    tools:\n"
        "      verilator:\n"
        "        mode: lint-only\n"
        "        verilator_options: [-Wno-fatal, -Wno-lint]\n"
    )


def _sdc(names: PortNames, clock_mhz: float) -> str:
    """The clock; ports are registered inside, so that half of a period is left outside."""
    period = 1000 / clock_mhz
    return (
        f"create_clock -name {names.clock} -period {period:.3f} [get_ports {names.clock}]\n"
        f"set_input_delay -clock {names.clock} {period / 2:.3f} "
        f"[remove_from_collection [all_inputs] [get_ports {names.clock}]]\n"
        f"set_output_delay -clock {names.clock} {period / 2:.3f} [all_outputs]\n"
    )
