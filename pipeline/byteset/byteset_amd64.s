//go:build !purego

#include "textflag.h"

// Texts are read 32 bytes at a time, so that up to 31 bytes behind them are read, too.
// They are in the same page of memory, which cannot be unreadable in part: the end of a
// text that stands in the last 32 bytes of a page is read with what stands before it.

// EDGE jumps to edge where 32 bytes at R8 may reach into another page.
#define EDGE(edge) \
	MOVL R8, AX    \
	ANDL $4095, AX \
	CMPL AX, $4064 \
	JHI  edge

// BACK is FIND for the R9 bytes at R8, of which the first gets the lowest bit.
#define BACK \
	VMOVDQU -32(R8)(R9*1), Y0 \
	FIND                      \
	MOVL    $32, R10          \
	SUBL    R9, R10           \
	SHRXL   R10, AX, AX

// COPY copies the R9 bytes at R8 to DI and BX.
#define COPY(byte) \
	LEAQ (DI)(BX*1), R11      \
	XORL R10, R10             \
byte:                         \
	MOVB (R8)(R10*1), AX      \
	MOVB AX, (R11)(R10*1)     \
	INCQ R10                  \
	CMPQ R10, R9              \
	JLT  byte

// MASKS fills Y15 with a mask of four bits, and Y12 with zeros.
#define MASKS \
	MOVL         $0x0F, AX \
	VMOVQ        AX, X15   \
	VPBROADCASTB X15, Y15  \
	VPXOR        Y12, Y12, Y12

// SET fills Y13 and Y14 with the halves of a set.
#define SET(halves) \
	VBROADCASTI128 0(halves), Y13 \
	VBROADCASTI128 16(halves), Y14

// FIND sets a bit in AX for each byte of Y0 that is in the set.
#define FIND \
	VPAND     Y15, Y0, Y1  \
	VPSRLW    $4, Y0, Y2   \
	VPAND     Y15, Y2, Y2  \
	VPSHUFB   Y1, Y13, Y1  \
	VPSHUFB   Y2, Y14, Y2  \
	VPAND     Y1, Y2, Y1   \
	VPCMPEQB  Y12, Y1, Y1  \
	VPMOVMSKB Y1, AX       \
	NOTL      AX

// func hasAnyAVX2(sets *halves, texts *string, n int) bool
TEXT ·hasAnyAVX2(SB), NOSPLIT, $0-25
	MOVQ sets+0(FP), R12
	MOVQ texts+8(FP), DX
	MOVQ n+16(FP), CX
	MASKS

text:
	MOVQ  0(DX), R8
	MOVQ  8(DX), R9
	TESTQ R9, R9
	JZ    next
	SET(R12)

long:
	CMPQ    R9, $32
	JLE     short
	VMOVDQU (R8), Y0
	FIND
	TESTL   AX, AX
	JNZ     found
	ADDQ    $32, R8
	SUBQ    $32, R9
	JMP     long

short:
	EDGE(edge)
	VMOVDQU (R8), Y0
	FIND
	BZHIL   R9, AX, AX // of what is behind the text nothing counts

looked:
	TESTL AX, AX
	JNZ   found

next:
	ADDQ $32, R12
	ADDQ $16, DX
	DECQ CX
	JNZ  text

found:
	SETNE ret+24(FP)
	VZEROUPPER
	RET

edge:
	BACK
	JMP looked

// func joinAVX2(set *halves, dst *byte, room int, literals, texts *string, n int) (written, done int)
TEXT ·joinAVX2(SB), NOSPLIT, $0-64
	MOVQ set+0(FP), R12
	MOVQ dst+8(FP), DI
	MOVQ room+16(FP), CX
	MOVQ literals+24(FP), SI
	MOVQ texts+32(FP), DX
	MOVQ n+40(FP), R15
	MASKS
	SET(R12)
	MOVQ R15, R12         // how many are left
	XORL BX, BX           // how much of room is written to

pair:
	MOVQ BX, R13          // where the pair begins
	MOVQ 8(SI), R9
	MOVQ 8(DX), AX
	ADDQ R9, AX
	ADDQ BX, AX
	CMPQ AX, CX
	JHI  stop
	MOVQ 0(SI), R8
	TESTQ R9, R9
	JZ   text

literal:
	CMPQ    R9, $32
	JLE     shortLiteral
	VMOVDQU (R8), Y0
	VMOVDQU Y0, (DI)(BX*1)
	ADDQ    $32, R8
	ADDQ    $32, BX
	SUBQ    $32, R9
	JMP     literal

shortLiteral:
	EDGE(edgeLiteral)
	VMOVDQU (R8), Y0
	VMOVDQU Y0, (DI)(BX*1)

literalDone:
	ADDQ R9, BX

text:
	MOVQ  0(DX), R8
	MOVQ  8(DX), R9
	TESTQ R9, R9
	JZ    next

long:
	CMPQ    R9, $32
	JLE     short
	VMOVDQU (R8), Y0
	VMOVDQU Y0, (DI)(BX*1)
	FIND
	TESTL   AX, AX
	JNZ     back
	ADDQ    $32, R8
	ADDQ    $32, BX
	SUBQ    $32, R9
	JMP     long

short:
	EDGE(edge)
	VMOVDQU (R8), Y0
	VMOVDQU Y0, (DI)(BX*1)
	FIND
	BZHIL   R9, AX, AX

looked:
	TESTL AX, AX
	JNZ   back
	ADDQ  R9, BX

next:
	ADDQ $16, SI
	ADDQ $16, DX
	DECQ R12
	JNZ  pair
	MOVQ BX, R13

back:
stop:
	SUBQ R12, R15
	MOVQ R13, written+48(FP)
	MOVQ R15, done+56(FP)
	VZEROUPPER
	RET

edgeLiteral:
	COPY(literalByte)
	JMP  literalDone

edge:
	COPY(byte)
	BACK
	JMP  looked
