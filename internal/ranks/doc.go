// Package ranks lets several processes work on one run: where each stands among them, what
// they tell each other, and how all of them end when one fails.
//
//	torchrun, srun, fmsr run --ranks --variables--> Place: rank 3 of 4, the store's address
//	                                                  |  Join: all have come, with the same spec
//	                                                  v
//	                  Group: Share, Compare, InTurn; and a monitor beside the run's work
//
// What the ranks tell each other goes through a store, which is torch's TCPStore. A
// monitor writes a beat there every second: a count, the rank's step, and what it is doing.
// It watches the beats of the next rank, and looks for the failure of any. The first to
// notice one writes it down, and the contexts of all ranks end with it as their cause.
package ranks
