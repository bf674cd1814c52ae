//go:build !purego

#include "textflag.h"

// ALL fills y with a byte.
#define ALL(byte, x, y) \
	MOVL         $byte, AX \
	VMOVQ        AX, x     \
	VPBROADCASTB x, y

// HEX sets the bytes of Y1 that are hexadecimal digits of Y0, and not in upper case.
#define HEX \
	VPSUBB   Y8, Y0, Y1  \
	VPMINUB  Y9, Y1, Y2  \
	VPCMPEQB Y1, Y2, Y1  \
	VPSUBB   Y10, Y0, Y3 \
	VPMINUB  Y11, Y3, Y2 \
	VPCMPEQB Y3, Y2, Y3  \
	VPOR     Y1, Y3, Y1

// BEGIN leaves zero in BX where the first 32 bytes at id are a UUID's.
#define BEGIN(id) \
	VMOVDQU   (id), Y0        \
	HEX                       \
	VPCMPEQB  Y12, Y0, Y2     \
	VPMOVMSKB Y1, BX          \
	VPMOVMSKB Y2, AX          \
	NOTL      BX              \
	XORL      $0x842100, BX   \
	XORL      $0x842100, AX   \
	ORL       AX, BX

// func areLowerUUIDsAVX2(a, b *byte) bool
TEXT ·areLowerUUIDsAVX2(SB), NOSPLIT, $0-17
	MOVQ a+0(FP), R8
	MOVQ b+8(FP), R9
	ALL(0x30, X8, Y8)   // '0'
	ALL(9, X9, Y9)
	ALL(0x61, X10, Y10) // 'a'
	ALL(5, X11, Y11)
	ALL(0x2D, X12, Y12) // '-'
	BEGIN(R8)
	MOVL BX, DX
	BEGIN(R9)
	ORL  BX, DX

	// The last four bytes of both are looked at together.
	VMOVD     32(R8), X0
	VPINSRD   $1, 32(R9), X0, X0
	HEX
	VPMOVMSKB Y1, BX
	NOTL      BX
	ANDL      $0xFF, BX
	ORL       BX, DX
	SETEQ     ret+16(FP)
	VZEROUPPER
	RET
