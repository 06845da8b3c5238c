// The tables of sim/engine/tables.py, found in the folder where the library is linked.
    .section .rodata
    .balign 8
    .globl octopus_tables
    .hidden octopus_tables
octopus_tables:
    .incbin "tables.bin"
    .section .note.GNU-stack, "", @progbits
