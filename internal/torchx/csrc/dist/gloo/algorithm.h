// Declarations of the gloo that libtorch contains, as far as c10d/ProcessGroupGloo.hpp needs them; the wheel has no
// headers of gloo. Only ProcessGroupGloo's constructor and its functions for devices are called, and they are compiled in
// libtorch: here, types are named, and complete where the compiler asks for it. No object of them is made or destroyed.
#pragma once
