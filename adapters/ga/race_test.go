//go:build race

package ga

const underRace = true
