package hdf5

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// id is a hid_t: something that is open in libhdf5. A negative one is an error.
type id = int64

// Constants of libhdf5's headers.
const (
	classInteger, classFloat, classText = 0, 1, 3
	utf8                                = 1
	innermostFirst                      = 0
	chunked                             = 2
	variableLength                      = ^uintptr(0)
	truncate                            = 2
)

// library is libhdf5. It may be built without thread safety, and its functions may keep
// their errors for each OS thread: do calls them.
type library struct {
	sync.Mutex
	float, double, int8, int64, chars id // its types
	filePlans, groupPlans, dataPlans  id // classes of properties of what is created

	reason reason // of the last error

	clearErrors func(stack id) int32
	walkErrors  func(stack id, direction int32, f, data unsafe.Pointer) int32
	setPrint    func(stack id, print, data uintptr) int32

	openFile    func(path string, flags uint32, access id) id
	createFile  func(path string, flags uint32, create, access id) id
	closeFile   func(id) int32
	exists      func(at id, name string, access id) int32
	nameAt      func(at id, group string, index, order int32, n uint64, name *byte, size uint64, access id) int64
	createGroup func(at id, name string, link, create, access id) id
	closeGroup  func(id) int32

	openData   func(at id, name string, access id) id
	createData func(at id, name string, kind, space, link, create, access id) id
	dataSpace  func(id) id
	dataType   func(id) id
	readData   func(data, kind, memory, file, transfer id, to unsafe.Pointer) int32
	writeData  func(data, kind, memory, file, transfer id, from unsafe.Pointer) int32
	freeTexts  func(kind, space, transfer id, texts unsafe.Pointer) int32
	dataPlan   func(id) id // its creation properties
	layout     func(plan id) int32
	chunk      func(plan id, rank int32, lengths *uint64) int32
	newPlan    func(class id) id
	setTimes   func(plan id, on uint8) int32
	closePlan  func(id) int32
	closeData  func(id) int32

	newSpace   func(rank int32, dims, most *uint64) id
	rank       func(space id) int32
	dims       func(space id, dims, most *uint64) int32
	choose     func(space id, how int32, start, step, count, block *uint64) int32
	closeSpace func(id) int32

	class      func(kind id) int32
	size       func(kind id) uintptr
	isVariable func(kind id) int32
	copyType   func(kind id) id
	setSize    func(kind id, size uintptr) int32
	setCharset func(kind id, set int32) int32
	newEnum    func(base id) id
	addToEnum  func(kind id, name string, value *int8) int32
	closeType  func(id) int32

	attributeExists func(at id, object, name string, access id) int32
	openAttribute   func(at id, object, name string, access, link id) id
	newAttribute    func(at id, name string, kind, space, create, access id) id
	attributeSpace  func(id) id
	attributeType   func(id) id
	readAttribute   func(attribute, kind id, to unsafe.Pointer) int32
	writeAttribute  func(attribute, kind id, from unsafe.Pointer) int32
	closeAttribute  func(id) int32
}

// functions pairs the library's functions with their names.
func (l *library) functions() map[string]any {
	return map[string]any{
		"H5Eclear2": &l.clearErrors, "H5Ewalk2": &l.walkErrors, "H5Eset_auto2": &l.setPrint,
		"H5Fopen": &l.openFile, "H5Fcreate": &l.createFile, "H5Fclose": &l.closeFile,
		"H5Lexists": &l.exists, "H5Lget_name_by_idx": &l.nameAt, "H5Gcreate2": &l.createGroup, "H5Gclose": &l.closeGroup,
		"H5Dopen2": &l.openData, "H5Dcreate2": &l.createData, "H5Dget_space": &l.dataSpace, "H5Dget_type": &l.dataType,
		"H5Dread": &l.readData, "H5Dwrite": &l.writeData, "H5Dvlen_reclaim": &l.freeTexts, "H5Dclose": &l.closeData,
		"H5Dget_create_plist": &l.dataPlan, "H5Pget_layout": &l.layout, "H5Pget_chunk": &l.chunk, "H5Pcreate": &l.newPlan, "H5Pset_obj_track_times": &l.setTimes, "H5Pclose": &l.closePlan,
		"H5Screate_simple": &l.newSpace, "H5Sget_simple_extent_ndims": &l.rank, "H5Sget_simple_extent_dims": &l.dims,
		"H5Sselect_hyperslab": &l.choose, "H5Sclose": &l.closeSpace,
		"H5Tget_class": &l.class, "H5Tget_size": &l.size, "H5Tis_variable_str": &l.isVariable, "H5Tcopy": &l.copyType,
		"H5Tset_size": &l.setSize, "H5Tset_cset": &l.setCharset, "H5Tenum_create": &l.newEnum, "H5Tenum_insert": &l.addToEnum, "H5Tclose": &l.closeType,
		"H5Aexists_by_name": &l.attributeExists, "H5Aopen_by_name": &l.openAttribute, "H5Acreate2": &l.newAttribute,
		"H5Aget_space": &l.attributeSpace, "H5Aget_type": &l.attributeType,
		"H5Aread": &l.readAttribute, "H5Awrite": &l.writeAttribute, "H5Aclose": &l.closeAttribute,
	}
}

// types pairs the library's types with the names of its variables for them.
func (l *library) types() map[string]*id {
	return map[string]*id{"H5T_NATIVE_FLOAT_g": &l.float, "H5T_NATIVE_DOUBLE_g": &l.double, "H5T_NATIVE_INT8_g": &l.int8, "H5T_NATIVE_INT64_g": &l.int64, "H5T_C_S1_g": &l.chars,
		"H5P_CLS_FILE_CREATE_ID_g": &l.filePlans, "H5P_CLS_GROUP_CREATE_ID_g": &l.groupPlans, "H5P_CLS_DATASET_CREATE_ID_g": &l.dataPlans}
}

// load finds and loads libhdf5, once.
var load = sync.OnceValues(func() (*library, error) {
	if path := os.Getenv("FMSR_HDF5"); path != "" {
		return named(path)
	}
	var tried []string
	for _, find := range []func() []string{beside, system, python} {
		for _, path := range find() {
			handle, err := open(path)
			if err == nil {
				return start(path, handle)
			}
			if filepath.IsAbs(path) {
				tried = append(tried, ": "+err.Error())
			}
		}
	}
	return nil, errors.New("fmsr reads HDF5 by libhdf5, which is not there: run make hdf5, pip install h5py, or apt-get install libhdf5-103-1, or name it by FMSR_HDF5=.../libhdf5.so" + strings.Join(tried, ""))
})

// named loads the library that the user names: a file, or a folder with one.
func named(path string) (*library, error) {
	if in := inFolder(path); len(in) > 0 {
		path = in[0]
	}
	handle, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("FMSR_HDF5: %w", err)
	}
	return start(path, handle)
}

// beside is the library in the folder hdf5 beside the program.
func beside() []string {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return inFolder(filepath.Join(filepath.Dir(program), "hdf5"))
}

// system lists names under which the system has it: of versions 1.10 to 2.
func system() []string {
	return []string{"libhdf5.so", "libhdf5.so.320", "libhdf5.so.310", "libhdf5.so.200", "libhdf5.so.103", "libhdf5_serial.so", "libhdf5_serial.so.310", "libhdf5_serial.so.103"}
}

// python is the library in the h5py of the python3 on the path.
func python() []string {
	origin, err := exec.Command("python3", "-c", "import importlib.util as u; print(u.find_spec('h5py').origin)").Output()
	if err != nil {
		return nil
	}
	return inFolder(filepath.Dir(filepath.Dir(strings.TrimSpace(string(origin)))) + "/h5py.libs")
}

// inFolder lists the libraries in a folder.
func inFolder(folder string) (paths []string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "libhdf5-") || strings.HasPrefix(e.Name(), "libhdf5.so") {
			paths = append(paths, filepath.Join(folder, e.Name()))
		}
	}
	return paths
}

// start finds the functions and types of the loaded library.
func start(path string, handle unsafe.Pointer) (*library, error) {
	l := &library{reason: newReason()}
	find := func(name string) (address unsafe.Pointer, err error) {
		if address = symbol(handle, name); address == nil {
			err = fmt.Errorf("%s: it has no %s: want libhdf5 1.10 or later", path, name)
		}
		return address, err
	}
	for name, function := range l.functions() {
		address, err := find(name)
		if err != nil {
			return nil, err
		}
		bind(function, address)
	}
	address, err := find("H5open")
	if err != nil {
		return nil, err
	}
	var initialize func() int32
	if bind(&initialize, address); initialize() < 0 {
		return nil, fmt.Errorf("%s: libhdf5 does not start", path)
	}
	for name, kind := range l.types() {
		address, err := find(name)
		if err != nil {
			return nil, err
		}
		*kind = *(*id)(address)
	}
	return l, nil
}

// do calls f, which calls the library.
func (l *library) do(f func() error) error {
	l.Lock()
	defer l.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l.setPrint(0, 0, 0)
	l.clearErrors(0)
	return f()
}

// failed returns the library's reason for an error.
func (l *library) failed(what string) error {
	l.reason.clear()
	l.walkErrors(0, innermostFirst, noteFunction(), l.reason.text)
	l.clearErrors(0)
	return fmt.Errorf("%s: %s", what, cmp.Or(l.reason.String(), "libhdf5 does not say why"))
}
