//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// OFF loads into four by how much the row of the visit at a place is off.
#define OFF(place, four) \
	MOVLQSX place*4(SI)(BX*4), R15 \
	MOVLQSX (R13)(R15*4), R15 \
	SHLQ    $5, R15 \
	VMOVUPD (R8)(R15*1), four

// OFFS sets Y4 to Y6 to the pageviews, seconds and repeats of the rows at four places, and
// Y14 to which rows these are.
#define OFFS(p, q, r, s) \
	OFF(p, Y2) \
	OFF(q, Y3) \
	OFF(r, Y7) \
	OFF(s, Y8) \
	VUNPCKLPD   Y3, Y2, Y4  \
	VUNPCKHPD   Y3, Y2, Y5  \
	VUNPCKLPD   Y8, Y7, Y9  \
	VUNPCKHPD   Y8, Y7, Y10 \
	VPERM2F128  $0x31, Y9, Y4, Y6   \
	VPERM2F128  $0x31, Y10, Y5, Y14 \
	VINSERTF128 $1, X9, Y4, Y4  \
	VINSERTF128 $1, X10, Y5, Y5

// NEARER sets off, by which the rows of four visits have too much of a measure, to what
// these and the row that gives gain, weighted. The four take what is at their places along,
// the visit that seeks them what is in give.
#define NEARER(off, places, give, own, weight) \
	VSUBPD       places, give, Y7 \ // what goes from the one row to the other
	VADDPD       Y7, off, Y8      \
	VANDPD       Y15, Y8, Y8      \ // too much there then
	VANDPD       Y15, off, off    \ // and before
	VSUBPD       Y8, off, off     \
	VBROADCASTSD own, Y9          \
	VSUBPD       Y7, Y9, Y7       \
	VANDPD       Y15, Y7, Y7      \ // here then
	VANDPD       Y15, Y9, Y9      \ // and before
	VSUBPD       Y7, Y9, Y7       \
	VADDPD       Y7, off, off     \
	VBROADCASTSD weight, Y9       \
	VMULPD       Y9, off, off

// WEIGH weighs the four visits from a place on, of whose rows OFFS is set, and sets the
// lowest bits of may for them.
#define WEIGH(place, may) \
	NEARER(Y4, place*8(R11)(BX*8), Y0, (scale_own+off_views)(AX), scale_viewWeight(AX)) \
	NEARER(Y5, place*8(R12)(BX*8), Y1, (scale_own+off_seconds)(AX), scale_secondWeight(AX)) \
	VADDPD       Y5, Y4, Y4        \
	VMOVUPD      Y4, place*8(DI)   \
	VBROADCASTSD (scale_own+off_repeats)(AX), Y7 \
	VADDPD       Y7, Y6, Y6        \
	VADDPD       Y6, Y4, Y4        \
	VBROADCASTSD scale_best(AX), Y7 \
	VCMPPD       $0x1e, Y7, Y4, Y4 \ // greater, which no number is not
	VBROADCASTSD (scale_own+off_row)(AX), Y7 \
	VCMPPD       $0x04, Y7, Y14, Y14 \ // another row
	VANDPD       Y14, Y4, Y4       \
	VMOVMSKPD    Y4, may           \
	VPCMPEQD     place*4(R10)(BX*4), X13, X2 \ // of a kind
	VMOVMSKPS    X2, R15           \
	ANDL         R15, may

// func weighAVX2(s *scale, at int, views, seconds float64, gains *[lanes]float64) (may uint32)
TEXT ·weighAVX2(SB), NOSPLIT, $0-44
	MOVQ         s+0(FP), AX
	MOVQ         at+8(FP), BX
	VBROADCASTSD views+16(FP), Y0
	VBROADCASTSD seconds+24(FP), Y1
	MOVQ         gains+32(FP), DI
	MOVQ         (scale_lots+lots_visits)(AX), SI
	MOVQ         scale_offs(AX), R8
	MOVQ         (scale_lots+lots_kinds)(AX), R10
	MOVQ         (scale_lots+lots_views)(AX), R11
	MOVQ         (scale_lots+lots_seconds)(AX), R12
	MOVQ         scale_rows(AX), R13
	VPBROADCASTD scale_kind(AX), X13

	// All bits but the sign's.
	VPCMPEQD Y15, Y15, Y15
	VPSRLQ   $1, Y15, Y15

	OFFS(0, 1, 2, 3)
	WEIGH(0, CX)
	OFFS(4, 5, 4, 5) // what is weighed behind these does not count
	WEIGH(4, DX)
	SHLL $4, DX
	ORL  DX, CX
	ANDL $0x3f, CX
	VZEROUPPER
	MOVL CX, may+40(FP)
	RET
