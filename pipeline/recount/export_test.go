package recount

// CompareWithin is Compare with another limit of memory.
var CompareWithin = compareWithin
