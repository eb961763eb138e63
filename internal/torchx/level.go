package torchx

// #include "csrc/fx.h"
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Level is a set of the processor's instructions that fmsr's CPU kernels are compiled for. Each level has the
// instructions of those before it.
type Level int

// The levels. On processors other than x86-64 there is Generic alone. It has no kernels for
// convolution and attention: libtorch's are used.
const (
	Generic    Level = iota
	AVX2             // with FMA
	AVX512           // F, VL, DQ and BW
	AVX512BF16       // products of bf16 too
	AMX              // products of tiles of bf16 too
)

// LevelVariable is the environment variable that names the level to use, for tests and comparisons. Without it, the
// kernels are those of the processor's highest level.
const LevelVariable = "FMSR_CPU"

var levelNames = []string{"generic", "avx2", "avx512", "avx512bf16", "amx"}

func (l Level) String() string { return levelNames[l] }

// BestCPULevel returns the highest level that the processor has and that pays: Intel's AVX-512 BF16 without AMX (or where
// the system does not let a process use AMX) is slower than float32, so that the level is AVX512 there.
func BestCPULevel() Level { return Level(C.fx_best_cpu_level()) }

// CPULevel returns the level of the CPU kernels that are used.
func CPULevel() Level { return Level(C.fx_cpu_level()) }

// SetCPULevel chooses the kernels to use by their level, which is at most BestCPULevel. No kernel may be running.
func SetCPULevel(l Level) { C.fx_set_cpu_level(C.int(l)) }

// multiplierRate returns the operations a second of one core's multipliers, which bound a convolution by the direct sum.
func multiplierRate(bf16 bool) float64 { return float64(C.fx_multiplier_rate(C.bool(bf16))) }

// levelError is what is wrong with the variable.
var levelError = useLevel(os.Getenv(LevelVariable))

// CheckCPULevel returns an error if FMSR_CPU names no level, or one that the processor lacks.
func CheckCPULevel() error { return levelError }

// useLevel sets the level of that name, or leaves the processor's if the name is empty.
func useLevel(name string) error {
	if name == "" {
		return nil
	}
	best := BestCPULevel()
	here := strings.Join(levelNames[:best+1], ", ")
	switch l := Level(slices.Index(levelNames, name)); {
	case l < 0:
		return fmt.Errorf("%s=%s: no such set of instructions; want one of %s, or unset it", LevelVariable, name, here)
	case l > best:
		return fmt.Errorf("%s=%s: this processor lacks these instructions, or is slow with them; want one of %s", LevelVariable, name, here)
	default:
		SetCPULevel(l)
		return nil
	}
}
