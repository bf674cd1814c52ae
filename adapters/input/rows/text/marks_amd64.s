//go:build !purego

#include "textflag.h"

// FIND sets a bit at offset(DI) for each byte of Y5 and Y6 that is the one in all of c.
#define FIND(c, offset) \
	VPCMPEQB  c, Y5, Y7   \
	VPCMPEQB  c, Y6, Y8   \
	VPMOVMSKB Y7, AX      \
	VPMOVMSKB Y8, BX      \
	SHLQ      $32, BX     \
	ORQ       BX, AX      \
	MOVQ      AX, offset(DI)

// ALL fills c with a byte.
#define ALL(byte, x, c) \
	MOVL         $byte, AX \
	MOVQ         AX, x     \
	VPBROADCASTB x, c

// func markAVX2(dst *marks, text *byte, blocks int, delimiter byte) (high, backslash uint32)
TEXT ·markAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         text+8(FP), SI
	MOVQ         blocks+16(FP), CX
	VPBROADCASTB delimiter+24(FP), Y0
	ALL(0x22, X1, Y1)
	ALL(0x0A, X2, Y2)
	ALL(0x0D, X3, Y3)
	ALL(0x5C, X4, Y4)
	VPXOR        Y14, Y14, Y14
	VPXOR        Y15, Y15, Y15

block:
	VMOVDQU  (SI), Y5
	VMOVDQU  32(SI), Y6
	VPOR     Y5, Y14, Y14
	VPOR     Y6, Y14, Y14
	VPCMPEQB Y4, Y5, Y7
	VPCMPEQB Y4, Y6, Y8
	VPOR     Y7, Y15, Y15
	VPOR     Y8, Y15, Y15
	FIND(Y1, 0)
	FIND(Y0, 8)
	FIND(Y2, 16)
	FIND(Y3, 24)
	ADDQ     $64, SI
	ADDQ     $32, DI
	DECQ     CX
	JNZ      block

	VPMOVMSKB Y14, AX
	MOVL      AX, high+32(FP)
	VPMOVMSKB Y15, AX
	MOVL      AX, backslash+36(FP)
	VZEROUPPER
	RET
