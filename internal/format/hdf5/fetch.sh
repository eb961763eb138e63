#!/usr/bin/env bash
# Fetches libhdf5 into the folder of that name: the one in PyPI's h5py, with what it needs. Does nothing if it is there.
#
#   fetch.sh bin/hdf5
set -euo pipefail
folder=$1
[ -d "$folder" ] && exit
. "$(dirname "$0")/../../torchx/torch.sh"
fetching "libhdf5 (6 MB, once)"
pip_get h5py==3.16.0 || die "pip could not fetch h5py; see above"
unpack "h5py.libs/ h5py-3.16.0.dist-info/licenses/" ""
mkdir -p "$(dirname "$folder")"
mv "$tmp/site/h5py.libs" "$tmp/libraries"
cp -r "$tmp"/site/*/licenses "$tmp/libraries/licenses"
mv -T "$tmp/libraries" "$folder"
