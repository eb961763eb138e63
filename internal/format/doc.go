// Package format is the shelf of the file formats that other programs define. No
// package knows a stage, and each but fieldfile knows one family of formats:
//
//	npy           NumPy's .npy and .npz           read, .npy written
//	athenak       AthenaK's .bin                  read
//	floats        stored numbers as float32       for npy and athenak
//	arrowtensor   Arrow and Parquet tensors       written, Arrow read by mapping the file
//	hdf5          The Well, athdf                 read, The Well written, by libhdf5
//	fieldfile     fields in any of these formats  written: the one writer over them
//	torchfile     PyTorch's zip and pickle        read and written
//	safetensors   Hugging Face's weights          written
//	onnx          networks for inference engines  written
//	tfevents      TensorBoard's event files       written, and cut where a run resumes
//	wandb         Weights & Biases' offline logs  written, and cut where a run resumes
//	protofield    single protobuf fields          for onnx, tfevents and wandb
//
// A new format is one package here, its tests, and a fuzz target for its reader.
package format
