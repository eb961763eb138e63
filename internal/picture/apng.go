package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// The chunks of a PNG that an APNG repeats or replaces. An APNG is a PNG with more chunks,
// and viewers that do not know them show its first frame:
//
//	IHDR acTL PLTE tRNS  fcTL IDAT  fcTL fdAT  fcTL fdAT ...  IEND
//
//	acTL  frames u32, plays u32 (0: for ever)
//	fcTL  sequence u32, width, height, x, y u32, delay u16 / u16 seconds, disposal, blending u8
//	fdAT  sequence u32, then what IDAT has
//
// (W3C, Portable Network Graphics, third edition, 2025.)
const pngHead = "\x89PNG\r\n\x1a\n"

// writeAPNG writes frames with one palette, each laid over those before it, and shown for so
// many hundredths of a second. The first is the whole picture.
func writeAPNG(w io.Writer, frames []*image.Paletted, delays []int) error {
	out := apng{w: w}
	out.write([]byte(pngHead))
	for i, frame := range frames {
		chunks, err := pngChunks(frame)
		if err != nil {
			return err
		}
		if i == 0 {
			out.chunk("IHDR", chunks["IHDR"])
			out.chunk("acTL", binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(len(frames))), 0))
			out.chunk("PLTE", chunks["PLTE"])
			out.chunk("tRNS", chunks["tRNS"])
		}
		out.control(frame.Bounds(), delays[i])
		if i == 0 {
			out.chunk("IDAT", chunks["IDAT"])
		} else {
			out.chunk("fdAT", append(out.next(), chunks["IDAT"]...))
		}
	}
	out.chunk("IEND", nil)
	return out.err
}

// apng writes chunks, and keeps the first error.
type apng struct {
	w        io.Writer
	sequence uint32
	err      error
}

// next returns the next sequence number.
func (a *apng) next() []byte {
	a.sequence++
	return binary.BigEndian.AppendUint32(nil, a.sequence-1)
}

// control writes a frame's fcTL: not disposed of, and blended over what is there.
func (a *apng) control(r image.Rectangle, delay int) {
	data := a.next()
	for _, v := range []int{r.Dx(), r.Dy(), r.Min.X, r.Min.Y} {
		data = binary.BigEndian.AppendUint32(data, uint32(v))
	}
	data = binary.BigEndian.AppendUint16(data, uint16(delay))
	data = binary.BigEndian.AppendUint16(data, 100)
	const keep, over = 0, 1
	a.chunk("fcTL", append(data, keep, over))
}

func (a *apng) chunk(name string, data []byte) {
	body := append([]byte(name), data...)
	a.write(binary.BigEndian.AppendUint32(nil, uint32(len(data))))
	a.write(body)
	a.write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}

func (a *apng) write(data []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(data)
	}
}

// pngChunks encodes a frame as PNG and returns its chunks by name; several of one name are
// joined.
func pngChunks(frame *image.Paletted) (map[string][]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, frame); err != nil {
		return nil, err
	}
	chunks := map[string][]byte{}
	for data := b.Bytes()[len(pngHead):]; len(data) > 0; {
		length := binary.BigEndian.Uint32(data)
		name := string(data[4:8])
		chunks[name] = append(chunks[name], data[8:8+length]...)
		data = data[12+length:]
	}
	return chunks, nil
}
