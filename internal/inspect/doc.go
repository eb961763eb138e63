// Package inspect measures frames without knowing where they come from, and says what is odd
// about them:
//
//	Source: frames (C,H,W), with origin --Measure--> Report: statistics by field --Odd--> sentences
//
// It keeps one frame in memory. Moments merge exactly; what needs a Fourier transform, and
// the edges, are measured on frames spread evenly over the set.
package inspect
