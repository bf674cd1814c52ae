package spill

// HeldBy returns how many bytes the bins take in memory.
func HeldBy(b *Bins) int { return b.room }
