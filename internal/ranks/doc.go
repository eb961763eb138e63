// Package ranks lets several processes work on one run: where each stands among them, what
// they tell each other, and how all end when one of them fails.
//
//	torchrun, srun, fmsr run --ranks --environment--> Place: rank 3 of 4, the store's address
package ranks
