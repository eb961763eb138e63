package picture
import ("testing";"os";"encoding/binary";"math";"fmt"
 lsans "codeberg.org/go-fonts/liberation/liberationsansregular"
 "golang.org/x/image/font/sfnt")
func TestGlyphs(t *testing.T){
 f,err:=sfnt.Parse(lsans.TTF); if err!=nil{t.Fatal(err)}
 var b sfnt.Buffer
 for _,r:=range "⁰¹²³⁴⁵⁶⁷⁸⁹⁻×−·₀₁₂ₓνηρσ²|±∇" { g,_:=f.GlyphIndex(&b,r); fmt.Printf("%c:%d ",r,g)}
 fmt.Println()
}
func TestOld(t *testing.T){
 raw,_:=os.ReadFile("/work/shared/mri/mri128_nu3e-5/seed_0002/npy/all_fields_128x128.npy"); raw=raw[128:]
 at:=func(fr,y,x,c int)float32{return math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(((fr*128+y)*128+x)*8+c):]))}
 for c,name:=range map[int]string{0:"density",4:"Bx",7:"jz"} {
  p:=Panel{Title:name,Unit:"code units",Diverging:c!=0}
  for _,l:=range []string{"input","target","generated"} { r:=Row{Label:l}
   for fr:=range 4 { f:=Field{H:128,W:128}; for y:=range 128{for x:=range 128{f.Data=append(f.Data,at(fr*2+1,y,x,c))}}; r.Fields=append(r.Fields,f)}
   p.Rows=append(p.Rows,r)}
  for fr:=range 4{p.Columns=append(p.Columns,fmt.Sprintf("seed 2, frame %d",fr*2+1))}
  w,_:=os.Create("/tmp/old_"+name+".png"); if err:=p.PNG(w);err!=nil{t.Fatal(err)}; w.Close()
 }
}
