//go:build !purego

#include "textflag.h"

// FIND sets a bit in to for each byte of Y5 and Y6 that is the one in all of c.
#define FIND(c, to) \
	VPCMPEQB  c, Y5, Y7 \
	VPCMPEQB  c, Y6, Y8 \
	VPMOVMSKB Y7, to    \
	VPMOVMSKB Y8, R8    \
	SHLQ      $32, R8   \
	ORQ       R8, to

// ALL fills c with a byte.
#define ALL(byte, x, c) \
	MOVL         $byte, AX \
	VMOVQ        AX, x     \
	VPBROADCASTB x, c

// func scanAVX2(dst *block, text *byte, blocks int, delimiter byte, s *scanned)
TEXT ·scanAVX2(SB), NOSPLIT, $0-40
	MOVQ         dst+0(FP), DI
	MOVQ         text+8(FP), SI
	MOVQ         blocks+16(FP), CX
	VPBROADCASTB delimiter+24(FP), Y0
	ALL(0x22, X1, Y1)
	ALL(0x0A, X2, Y2)
	ALL(0x0D, X3, Y3)
	ALL(0x5C, X4, Y4)
	VPCMPEQB     Y10, Y10, Y10
	VPXOR        Y14, Y14, Y14
	VPXOR        Y15, Y15, Y15
	MOVQ         s+32(FP), AX
	MOVQ         0(AX), R10     // inside
	MOVQ         8(AX), R11     // before
	MOVQ         16(AX), R12    // closing
	MOVQ         24(AX), R13    // cr
	MOVQ         32(AX), R9     // wrong

block:
	VMOVDQU   (SI), Y5
	VMOVDQU   32(SI), Y6
	VPOR      Y5, Y6, Y9
	VPMOVMSKB Y9, AX
	MOVQ      AX, 24(DI)        // high
	VPCMPEQB  Y4, Y5, Y7
	VPCMPEQB  Y4, Y6, Y8
	VPOR      Y7, Y15, Y15
	VPOR      Y8, Y15, Y15

	// The product with all ones has in each bit the parity of that and those below it.
	FIND(Y1, AX)
	VMOVQ      AX, X9
	VPCLMULQDQ $0, X10, X9, X9
	VMOVQ      X9, BX
	XORQ       R10, BX
	MOVQ       BX, R10
	SARQ       $63, R10         // inside of the next block
	MOVQ       AX, R14
	ANDQ       BX, R14          // opening
	NOTQ       BX
	ANDQ       BX, AX           // closing
	MOVQ       BX, R15

	FIND(Y2, BX)
	ANDQ R15, BX                // lines
	MOVQ BX, 8(DI)
	FIND(Y0, DX)
	ANDQ DX, R15
	ORQ  BX, R15                // ends
	MOVQ R15, 0(DI)

	LEAQ (R12)(AX*2), R12       // behind
	FIND(Y3, DX)
	VPOR Y7, Y14, Y14
	VPOR Y8, Y14, Y14
	ANDQ R12, DX                // crs
	LEAQ (R13)(DX*2), R8
	NOTQ BX
	ANDQ BX, R8
	ORQ  R8, R9                 // wrong: no line's end follows
	MOVQ DX, R13
	SHRQ $63, R13

	MOVQ R12, R8
	ANDQ R14, R8
	MOVQ R8, 16(DI)             // escapes
	ORQ  R15, DX
	ORQ  R14, DX
	NOTQ DX
	ANDQ R12, DX
	ORQ  DX, R9                 // wrong: a closing quote stands before something else

	ORQ  AX, R15
	LEAQ (R11)(R15*2), R8
	NOTQ R8
	ANDQ R14, R8
	ORQ  R8, R9                 // wrong: an opening quote stands behind something else
	MOVQ R15, R11
	SHRQ $63, R11
	MOVQ AX, R12
	SHRQ $63, R12

	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  block

	MOVQ      s+32(FP), AX
	MOVQ      R10, 0(AX)
	MOVQ      R11, 8(AX)
	MOVQ      R12, 16(AX)
	MOVQ      R13, 24(AX)
	MOVQ      R9, 32(AX)
	VPMOVMSKB Y15, BX
	ORQ       BX, 40(AX)
	VPMOVMSKB Y14, BX
	ORQ       BX, 48(AX)
	VZEROUPPER
	RET

// func markAVX2(dst *block, text *byte, blocks int, delimiter byte)
TEXT ·markAVX2(SB), NOSPLIT, $0-25
	MOVQ         dst+0(FP), DI
	MOVQ         text+8(FP), SI
	MOVQ         blocks+16(FP), CX
	VPBROADCASTB delimiter+24(FP), Y0
	ALL(0x0A, X2, Y2)
	ALL(0x5C, X4, Y4)

block:
	VMOVDQU   (SI), Y5
	VMOVDQU   32(SI), Y6
	FIND(Y0, AX)
	MOVQ      AX, 0(DI)
	FIND(Y2, AX)
	MOVQ      AX, 8(DI)
	FIND(Y4, AX)
	MOVQ      AX, 16(DI)
	VPOR      Y5, Y6, Y9
	VPMOVMSKB Y9, AX
	MOVQ      AX, 24(DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       block

	VZEROUPPER
	RET

// END writes the place of the lowest bit of AX, and takes it away.
#define END(offset) \
	TZCNTQ AX, BX     \
	ADDL   R8, BX     \
	MOVL   BX, offset(DI) \
	BLSRQ  AX, AX

// func placeBMI(ends, records *uint32, blocks *block, n, at, before int) (placed, lines int)
TEXT ·placeBMI(SB), NOSPLIT, $0-64
	MOVQ ends+0(FP), DI
	MOVQ records+8(FP), R9
	MOVQ blocks+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ at+32(FP), R8
	MOVQ before+40(FP), R10 // ends up to the block

block:
	MOVQ  0(SI), AX
	MOVQ  8(SI), R11
	TESTQ R11, R11
	JNZ   line

lined:
	POPCNTQ AX, DX
	ADDQ    DX, R10

	// To write some too many is quicker than to stop in time.
four:
	END(0)
	END(4)
	END(8)
	END(12)
	CMPQ DX, $4
	JHI  more
	LEAQ (DI)(DX*4), DI
	ADDQ $64, R8
	ADDQ $32, SI
	DECQ CX
	JNZ  block

	SUBQ before+40(FP), R10
	MOVQ R10, placed+48(FP)
	SUBQ records+8(FP), R9
	SHRQ $2, R9
	MOVQ R9, lines+56(FP)
	RET

more:
	ADDQ $16, DI
	SUBQ $4, DX
	JMP  four

	// Of the ends, those up to the line's count for its record.
line:
	BLSMSKQ R11, R12
	ANDQ    AX, R12
	POPCNTQ R12, R12
	ADDQ    R10, R12
	MOVL    R12, (R9)
	ADDQ    $4, R9
	BLSRQ   R11, R11
	JNZ     line
	JMP     lined
