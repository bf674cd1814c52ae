//go:build !purego

#include "textflag.h"

// ALL fills c with a byte.
#define ALL(byte, x, c) \
	MOVL         $byte, AX \
	VMOVQ        AX, x     \
	VPBROADCASTB x, c

// SPECIAL sets a bit in to for each byte of y that is a quote, a backslash or at most
// 0x1F, which is what the smaller of the byte and 0x1F equals then.
#define SPECIAL(y, to) \
	VPCMPEQB  Y0, y, Y6  \
	VPCMPEQB  Y1, y, Y7  \
	VPMINUB   Y2, y, Y8  \
	VPCMPEQB  Y8, y, Y8  \
	VPOR      Y6, Y7, Y7 \
	VPOR      Y7, Y8, Y8 \
	VPMOVMSKB Y8, to

// func markAVX2(dst *uint64, text *byte, blocks int) (high uint32)
TEXT ·markAVX2(SB), NOSPLIT, $0-28
	MOVQ  dst+0(FP), DI
	MOVQ  text+8(FP), SI
	MOVQ  blocks+16(FP), CX
	ALL(0x22, X0, Y0)
	ALL(0x5C, X1, Y1)
	ALL(0x1F, X2, Y2)
	VPXOR Y3, Y3, Y3

block:
	VMOVDQU (SI), Y4
	VMOVDQU 32(SI), Y5
	VPOR    Y4, Y3, Y3
	VPOR    Y5, Y3, Y3
	SPECIAL(Y4, AX)
	SPECIAL(Y5, BX)
	SHLQ    $32, BX
	ORQ     AX, BX
	MOVQ    BX, (DI)
	ADDQ    $64, SI
	ADDQ    $8, DI
	DECQ    CX
	JNZ     block

	VPMOVMSKB Y3, AX
	MOVL      AX, high+24(FP)
	VZEROUPPER
	RET
