# make          builds bin/fmsr, after fetching and building what it needs
# make install  copies bin/fmsr to PREFIX/bin (~/.local/bin unless PREFIX is given); it uses the libtorch that make found
# make demo     trains on the frames in testdata/ and shows what was learned
# make film     films how the demo's model makes a frame that it has not seen: docs/film.gif (trains the demo, if it has not run)
# make test     runs every test; pages are opened in a headless Chromium if there is one (FMSR_BROWSER=required: there must be)
# make shots    takes the other pictures that the README has, of the demo and its film, and leaves pictures of the pages in runs/shots,
#               as the browser's tests see them (interop/shots.py says what to install)
# make sampling  samples a frame by every solver, with the demo's model, and draws error against time: docs/sampling.svg, docs/sampling.csv
# make race     runs the tests under the race detector, without the heavy training
# make lint     gofmt, go vet, staticcheck
# make interop  opens fmsr's files with PyTorch, TensorBoard, W&B, MLflow, trackio, pyarrow, ... (the scripts in interop/ say what to install)
# make folds DATA=DIR trains models on folds of simulations and tables what each gets right (FOLDS="--steps 300 ..." has more: interop/folds.py --help)
# make slurm-test     trains, is preempted and shares work on a Slurm of two nodes, made of this machine (as root; installs Slurm by apt-get)
# make torchrun-test  trains on ranks of PyTorch's launcher, and kills some (PYTHON=... names a Python with PyTorch)
# make chaos    kills a hundred training runs, and ranks of runs of several, and checks that each resumes to the same result
# make soak     trains for half an hour, and checks that memory, files, goroutines and tensors do not grow
# make bench    prints one JSON line a benchmark
# make cuda     compiles fmsr's CUDA code into bin/libfmsr_cuda.so, with a compiler from PyPI and without a GPU
# make hdf5     fetches libhdf5, by which fmsr reads HDF5 files, to bin/hdf5 (needless where the system or python3's h5py has it)
# make arm64    builds bin/arm64/fmsr, for Linux on arm64, by a cross-compiler, and tests its kernels and networks under qemu (slow)
#               (Debian: apt-get install g++-aarch64-linux-gnu qemu-user); on an arm64 machine make does
# make release VERSION=v1.2.3  makes an archive of that tag, with all that it links, in dist/
# make gpu-kit  builds bin/gpu-kit.tar.gz: gpu-check for a machine with a GPU and PyTorch, but without Go
# make gpu-check   tests and times on this machine's GPU; on another, run what make gpu-kit says
#
# PEER=DIR make bench   also runs DIR/bench.py, the benchmarks of another implementation; so does gpu-check
# PEER=DIR make ratios  times training and sampling steps beside DIR/bench.py's, in alternating runs
# RATIOS=--level=avx2 PEER=DIR make ratios  holds both sides to AVX2
# RATIOS=--engines make ratios  times sampling steps beside inference engines'
# RATIOS=--data PEER=DIR make ratios  times loaders, export and spectra beside its
# LIBTORCH=DIR make   uses that libtorch 2.11 instead of finding or fetching one
# CUDA=1 make         fetches the CUDA libraries too

SHELL := /bin/bash
export LIBTORCH CUDA

PYTHON ?= python3

.PHONY: all help install build native demo film test shots sampling race lint bench ratios cuda hdf5 arm64 release gpu-kit gpu-check interop folds slurm-test torchrun-test chaos soak clean
all: build

help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

PREFIX ?= $(HOME)/.local
install: build
	@mkdir -p $(PREFIX)/bin
	@install -m 755 $(wildcard bin/libfmsr_cuda.so) bin/fmsr $(PREFIX)/bin
	@echo "installed $(PREFIX)/bin/fmsr"

native:
	@internal/torchx/native.sh

# go build -v names the packages that it compiles, three hundred the first time: a line is shown for every fiftieth
build: native
	@echo "    0s  go build ./cmd/fmsr"; set -o pipefail; \
	go build -v -o bin/fmsr ./cmd/fmsr 2>&1 | while IFS= read -r line; do case $$line in \
	  *[\ :]*) echo "$$line" ;; \
	  *) n=$$((n + 1)); [ $$((n % 50)) != 0 ] || printf '%5ds  compiled %d packages\n' $$SECONDS $$n ;; \
	esac; done
	@echo "built bin/fmsr: try make demo, or bin/fmsr help"

demo: build
	@bin/fmsr run specs/demo.yaml --resume never

film: build
	@[ -f runs/demo/report.html ] || bin/fmsr run specs/demo.yaml
	@go run ./internal/testkit/pool testdata/mri128_nu3e-5/seed_0002/npy/fields_128x128.npy 2 3 runs/film/fine/seed2.npy runs/film/coarse/seed2.npy
	@bin/fmsr run specs/superres.yaml --checkpoint runs/demo --input runs/film/coarse --truth runs/film/fine --out runs/film/made --sample-steps 48 --film docs/film.gif

test race: export FMSR_HDF5 = $(CURDIR)/bin/hdf5
test: native hdf5
	go test -timeout 20m $$(go list ./... | grep -v /cmd/)
	cd cmd/cli && go test -timeout 20m # in its folder, where go test shows the lines that it prints at once

shots: build
	@[ -d runs/film/made/images ] || $(MAKE) film
	@mkdir -p runs/shots
	@bin/fmsr report runs/demo --to runs/demo/report.html >/dev/null
	@$(PYTHON) interop/shots.py runs/demo runs/film/made docs
	FMSR_BROWSER=required FMSR_SHOTS=$(CURDIR)/runs/shots go test ./internal/ui -count 1 -run TestBrowser

sampling: build
	@[ -f runs/demo/report.html ] || bin/fmsr run specs/demo.yaml
	@$(PYTHON) interop/solvers.py bin/fmsr runs/demo testdata/mri128_nu3e-5/seed_0002/npy/fields_128x128.npy density,velx,Bx,By Bx runs/sampling docs/sampling.csv --threads 1
	@go run ./internal/testkit/solverplot docs/sampling.csv docs/sampling.svg

race: native hdf5
	go test -race -short -timeout 30m $$(go list ./... | grep -v /internal/picture$$)
	go test -race ./internal/picture -run AtOnce # the others draw on one goroutine, for minutes

lint: native
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "make lint: run gofmt -w on these"; exit 1; }
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

interop: build
	@mkdir -p runs
	@bin/fmsr run specs/demo.yaml --out runs/interop --total-steps 4 --log-every 2 --sample-steps 1 --resume never --max-steps 3 >runs/interop.log
	@bin/fmsr run specs/demo.yaml --out runs/interop --total-steps 4 --log-every 2 --sample-steps 1 >>runs/interop.log
	@$(PYTHON) interop/check.py runs/interop bin/fmsr
	@$(PYTHON) interop/screens.py runs/interop runs/interop-screens
	@$(PYTHON) interop/data.py bin/fmsr runs/interop-data
	@$(PYTHON) interop/spectra.py bin/fmsr runs/interop-spectra
	@$(PYTHON) interop/well.py bin/fmsr runs/interop runs/interop-well
	@$(PYTHON) interop/physics.py bin/fmsr runs/interop runs/interop-physics testdata/mri128_nu3e-5

folds: build
	@$(PYTHON) interop/folds.py --data "$(DATA)" $(FOLDS)

slurm-test: build
	@interop/slurm/cluster.sh interop/slurm/test.sh

torchrun-test: build
	@interop/torchrun.sh $(PYTHON)

chaos: native
	FMSR_CHAOS=100 FMSR_GOODPUT=5m go test ./cmd/cli -count 1 -timeout 2h -run 'Chaos|Goodput' -v

soak: native
	FMSR_SOAK=30m go test ./sinks -count 1 -timeout 1h -run TestSoak -v

bench: native
	@go test -run '^$$' -bench . ./... | go run ./internal/testkit/benchjson
	@if [ -n "$(PEER)" ]; then cd $(PEER) && $(PYTHON) bench.py --sections data,spectra; fi

ratios: build
ifneq ($(findstring --data,$(RATIOS)),)
	@for package in stages sinks internal/field/plan; do go test -c -o bin/$$(basename $$package).test ./$$package || exit 1; done
	@$(PYTHON) interop/dataplane.py $(PEER) bin $(RATIOS)
else
	@go test -c -o bin/model.test ./model
	@$(PYTHON) interop/ratios.py bin/model.test $(if $(PEER),--peer $(PEER)) $(RATIOS)
endif

cuda:
	@internal/torchx/cuda.sh

hdf5:
	@internal/format/hdf5/fetch.sh bin/hdf5

arm64: export GOARCH = arm64
arm64: export CGO_ENABLED = 1
arm64: export CC = aarch64-linux-gnu-gcc
arm64: export CXX = aarch64-linux-gnu-g++
arm64: native
	go build -o bin/arm64/fmsr ./cmd/fmsr
	go test -exec 'qemu-aarch64 -cpu neoverse-n1 -L /usr/aarch64-linux-gnu' -count 1 -short -timeout 2h -run 'Kernel|Norms|Golden' -skip TestConv2dKernel/.*/.*/.*/40x41 ./internal/torchx ./model

release:
	@.ci/release "$(VERSION)"

gpu-kit: build cuda
	@mkdir -p bin/gpu-kit
	@for package in internal/torchx model; do go test -c -ldflags '-s -w' -o bin/gpu-kit/$$(basename $$package).test ./$$package || exit 1; done
	@go build -ldflags '-s -w' -o bin/gpu-kit/fmsr ./cmd/fmsr
	@cp bin/libfmsr_cuda.so internal/torchx/gpu-check.py bin/gpu-kit/
	@tar -C bin -czf bin/gpu-kit.tar.gz gpu-kit
	@echo "built bin/gpu-kit.tar.gz: copy it to a machine with a GPU and PyTorch 2.11, and there: tar xf gpu-kit.tar.gz && python3 gpu-kit/gpu-check.py"

gpu-check: gpu-kit
	@$(PYTHON) bin/gpu-kit/gpu-check.py $(if $(PEER),--peer $(PEER))

clean:
	rm -rf bin internal/torchx/zz_native.go
