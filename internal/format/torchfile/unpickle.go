package torchfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// unpickle runs a pickle over a closed set of opcodes. Python's own unpickler calls
// whatever a file names. This one makes OrderedDicts, tensors and Parameters; any other
// object becomes a Foreign, which has its class's name and no content, so that what a
// trainer keeps beside the weights does no harm. The pickle's length bounds every
// allocation. Messages show no values, because a small file can nest values that would
// take forever to print.
func unpickle(data []byte) (any, error) {
	u := &unpickler{data: data, memo: map[uint32]any{}}
	for {
		done, err := u.step()
		if err != nil {
			return nil, fmt.Errorf("at byte %d: %w", u.at, err)
		}
		if done {
			return u.pop()
		}
	}
}

type unpickler struct {
	data  []byte
	at    int
	stack []any
	memo  map[uint32]any
}

// What is on the stack besides values.
type (
	mark  struct{}
	class string // "torch.FloatStorage"
	tuple []any
	// Sequence is a Python list: shared, since the memo refers to it.
	Sequence struct{ Items []any }
	storage  struct {
		dtype, key string
		numel      int64
	}
	// Foreign is an object that is not made: what it is, for messages.
	Foreign string
)

var errShort = errors.New("the pickle ends too early")

func (u *unpickler) take(n int) ([]byte, error) {
	if n < 0 || n > len(u.data)-u.at {
		return nil, errShort
	}
	b := u.data[u.at : u.at+n]
	u.at += n
	return b, nil
}

func (u *unpickler) uint(bytes int) (uint32, error) {
	b, err := u.take(bytes)
	if err != nil {
		return 0, err
	}
	var full [4]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint32(full[:]), nil
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

func (u *unpickler) pop() (any, error) {
	if len(u.stack) == 0 {
		return nil, errors.New("the stack is empty")
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

// popMark takes the values above the topmost mark from the stack.
func (u *unpickler) popMark() ([]any, error) {
	for i := len(u.stack) - 1; i >= 0; i-- {
		if _, ok := u.stack[i].(mark); ok {
			items := append([]any(nil), u.stack[i+1:]...)
			u.stack = u.stack[:i]
			return items, nil
		}
	}
	return nil, errors.New("no mark on the stack")
}

func (u *unpickler) popN(n int) ([]any, error) {
	if len(u.stack) < n {
		return nil, errors.New("the stack is empty")
	}
	items := append([]any(nil), u.stack[len(u.stack)-n:]...)
	u.stack = u.stack[:len(u.stack)-n]
	return items, nil
}

// step runs one opcode, and reports whether it was STOP.
func (u *unpickler) step() (done bool, err error) {
	op, err := u.take(1)
	if err != nil {
		return false, err
	}
	switch op[0] {
	case '.':
		return true, nil
	case 0x80: // PROTO
		_, err = u.take(1)
	case 0x95: // FRAME
		_, err = u.take(8)
	case '(':
		u.push(mark{})
	case '}':
		u.push(&Map{})
	case ']':
		u.push(&Sequence{})
	case ')':
		u.push(tuple{})
	case 'N':
		u.push(nil)
	case 0x88:
		u.push(true)
	case 0x89:
		u.push(false)
	case 'J', 'K', 'M', 0x8a, 0x8b, 'G':
		err = u.number(op[0])
	case 'X', 0x8c, 0x8d:
		err = u.text(op[0])
	case 'B', 'C', 0x8e, 0x96: // BINBYTES and its kin
		err = u.foreignBytes(op[0])
	case 0x8f: // EMPTY_SET
		u.push(Foreign("a set"))
	case 0x91: // FROZENSET
		_, err = u.popMark()
		u.push(Foreign("a set"))
	case 'c', 0x93:
		err = u.global(op[0])
	case 't', 0x85, 0x86, 0x87:
		err = u.tuple(op[0])
	case 'q', 'r', 0x94, 'h', 'j':
		err = u.remember(op[0])
	case 's', 'u', 'a', 'e', 0x90:
		err = u.collect(op[0])
	case 'Q':
		err = u.persistent()
	case 'R', 0x81: // REDUCE, NEWOBJ
		err = u.reduce(2)
	case 0x92: // NEWOBJ_EX, with keyword arguments
		err = u.reduce(3)
	case 'b': // BUILD: a state dict's _metadata, which fmsr has no use for
		_, err = u.pop()
	default:
		err = fmt.Errorf("opcode %#02x is in no checkpoint", op[0])
	}
	return false, err
}

func (u *unpickler) number(op byte) error {
	switch op {
	case 'G': // BINFLOAT
		b, err := u.take(8)
		if err != nil {
			return err
		}
		u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		return nil
	case 0x8a: // LONG1
		return u.long(1)
	case 0x8b: // LONG4
		return u.long(4)
	}
	width := map[byte]int{'J': 4, 'K': 1, 'M': 2}[op]
	v, err := u.uint(width)
	if op == 'J' {
		u.push(int64(int32(v)))
	} else {
		u.push(int64(v))
	}
	return err
}

func (u *unpickler) long(width int) error {
	n, err := u.uint(width)
	if err != nil {
		return err
	}
	b, err := u.take(int(n))
	if err != nil {
		return err
	}
	if n > 8 {
		u.push(Foreign(fmt.Sprintf("a whole number of %d bytes", n)))
		return nil
	}
	v := int64(0)
	for i, x := range b {
		v |= int64(x) << (8 * i)
	}
	if n > 0 && n < 8 && b[n-1]&0x80 != 0 { // two's complement
		v -= 1 << (8 * n)
	}
	u.push(v)
	return nil
}

func (u *unpickler) text(op byte) error {
	b, err := u.counted(map[byte]int{0x8c: 1, 'X': 4, 0x8d: 8}[op])
	u.push(string(b))
	return err
}

func (u *unpickler) foreignBytes(op byte) error {
	_, err := u.counted(map[byte]int{'C': 1, 'B': 4, 0x8e: 8, 0x96: 8}[op])
	u.push(Foreign("bytes"))
	return err
}

// counted takes bytes whose number comes first, in so many bytes.
func (u *unpickler) counted(width int) ([]byte, error) {
	b, err := u.take(width)
	if err != nil {
		return nil, err
	}
	var full [8]byte
	copy(full[:], b)
	n := binary.LittleEndian.Uint64(full[:])
	if n > uint64(len(u.data)) {
		return nil, errShort
	}
	return u.take(int(n))
}

// dtypes are the storages that a tensor may have.
var dtypes = map[class]string{
	"torch.FloatStorage": "float32", "torch.DoubleStorage": "float64", "torch.HalfStorage": "float16",
	"torch.BFloat16Storage": "bfloat16", "torch.LongStorage": "int64", "torch.IntStorage": "int32",
}

const (
	orderedDict      class = "collections.OrderedDict"
	rebuildTensor    class = "torch._utils._rebuild_tensor_v2"
	rebuildParameter class = "torch._utils._rebuild_parameter"
)

func (u *unpickler) global(op byte) error {
	var module, name string
	if op == 0x93 { // STACK_GLOBAL
		items, err := u.popN(2)
		if err != nil {
			return err
		}
		module, _ = items[0].(string)
		name, _ = items[1].(string)
	} else {
		var err error
		if module, err = u.line(); err != nil {
			return err
		}
		if name, err = u.line(); err != nil {
			return err
		}
	}
	u.push(class(module + "." + name))
	return nil
}

// line reads up to a newline.
func (u *unpickler) line() (string, error) {
	for i := u.at; i < len(u.data); i++ {
		if u.data[i] == '\n' {
			s := string(u.data[u.at:i])
			u.at = i + 1
			return s, nil
		}
	}
	return "", errShort
}

func (u *unpickler) tuple(op byte) error {
	var items []any
	var err error
	if op == 't' {
		items, err = u.popMark()
	} else {
		items, err = u.popN(int(op - 0x84)) // TUPLE1, 2, 3
	}
	u.push(tuple(items))
	return err
}

// remember puts the top of the stack into the memo, or gets from it.
func (u *unpickler) remember(op byte) error {
	width := map[byte]int{'q': 1, 'r': 4, 'h': 1, 'j': 4, 0x94: 0}[op]
	i, err := u.uint(width)
	if err != nil {
		return err
	}
	if op == 0x94 { // MEMOIZE numbers them itself
		i = uint32(len(u.memo))
	}
	if op == 'h' || op == 'j' {
		v, ok := u.memo[i]
		if !ok {
			return fmt.Errorf("nothing was remembered as %d", i)
		}
		u.push(v)
		return nil
	}
	if len(u.stack) == 0 {
		return errors.New("the stack is empty")
	}
	u.memo[i] = u.stack[len(u.stack)-1]
	return nil
}

// collect adds items to the dict or list below them.
func (u *unpickler) collect(op byte) error {
	var items []any
	var err error
	switch op {
	case 's':
		items, err = u.popN(2)
	case 'a':
		items, err = u.popN(1)
	default:
		items, err = u.popMark()
	}
	if err != nil {
		return err
	}
	if len(u.stack) == 0 {
		return errors.New("the stack is empty")
	}
	switch into := u.stack[len(u.stack)-1].(type) {
	case *Map:
		if len(items)%2 != 0 || op == 'a' || op == 'e' {
			return errors.New("a dict takes pairs")
		}
		for i := 0; i < len(items); i += 2 {
			into.Keys = append(into.Keys, items[i])
			into.Values = append(into.Values, items[i+1])
		}
	case *Sequence:
		if op == 's' || op == 'u' {
			return errors.New("a list takes no pairs")
		}
		into.Items = append(into.Items, items...)
	case Foreign:
	default:
		return fmt.Errorf("items for a %T", into)
	}
	return nil
}

// persistent makes a storage: ("storage", class, key, location, numel).
func (u *unpickler) persistent() error {
	v, err := u.pop()
	if err != nil {
		return err
	}
	id, ok := v.(tuple)
	if !ok || len(id) != 5 || id[0] != "storage" {
		return errors.New("a persistent id that is no storage")
	}
	c, isClass := id[1].(class)
	key, isKey := id[2].(string)
	n, isCount := id[4].(int64)
	switch {
	case !isClass || !isKey || !isCount:
		return errors.New("a persistent id that is no storage")
	case dtypes[c] == "":
		u.push(c.object())
		return nil
	}
	u.push(storage{dtypes[c], key, n})
	return nil
}

// object returns what stands for an object of a class that is not made.
func (c class) object() Foreign { return Foreign(fmt.Sprintf("an object of %.100q", string(c))) }

// reduce takes a class and its arguments, n values, and makes what calling the class with
// the arguments would return.
func (u *unpickler) reduce(n int) error {
	call, err := u.popN(n)
	if err != nil {
		return err
	}
	args, ok := call[1].(tuple)
	if !ok {
		return errors.New("a call without arguments")
	}
	made, err := called(call[0], args)
	u.push(made)
	return err
}

func called(callee any, args tuple) (any, error) {
	c, isClass := callee.(class)
	_, isForeign := callee.(Foreign)
	switch {
	case c == orderedDict && len(args) == 0:
		return &Map{}, nil
	case c == rebuildTensor && len(args) > 0:
		if f, ok := args[0].(Foreign); ok {
			return "a tensor in " + f, nil
		}
		return tensorOf(args)
	case c == rebuildParameter && len(args) > 0:
		return args[0], nil
	case isClass:
		return c.object(), nil
	case isForeign:
		return callee, nil
	default:
		return nil, fmt.Errorf("a %T is not called in checkpoints", callee)
	}
}

// tensorOf calls _rebuild_tensor_v2(storage, offset, size, stride, ...).
func tensorOf(args tuple) (*Stored, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(storage)
	offset, isOffset := args[1].(int64)
	shape, shapeErr := whole(args[2])
	stride, strideErr := whole(args[3])
	if !ok || !isOffset || shapeErr != nil || strideErr != nil {
		return nil, errors.New("a tensor without storage, offset, shape and stride")
	}
	t := &Stored{DType: s.dtype, Shape: shape, stride: stride, offset: offset, key: s.key, numel: s.numel}
	return t, t.check()
}

func whole(v any) ([]int64, error) {
	items, ok := v.(tuple)
	if !ok {
		return nil, fmt.Errorf("%T: want a tuple", v)
	}
	out := make([]int64, len(items))
	for i, item := range items {
		if out[i], ok = item.(int64); !ok {
			return nil, fmt.Errorf("a shape or stride holds a %T: want whole numbers", item)
		}
	}
	return out, nil
}
