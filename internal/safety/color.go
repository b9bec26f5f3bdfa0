package safety

import "math"

// A lab is a colour in CIE L*a*b* (D65): distances in it are about those that people see.
type lab [3]float64

// labOf converts an sRGB colour 0xRRGGBBAA, whatever its alpha.
func labOf(rgba uint32) lab {
	r, g, b := linear(rgba>>24), linear(rgba>>16), linear(rgba>>8)
	// sRGB's primaries, divided by the white point (IEC 61966-2-1).
	x := bend((0.4124*r + 0.3576*g + 0.1805*b) / 0.9505)
	y := bend(0.2126*r + 0.7152*g + 0.0722*b)
	z := bend((0.0193*r + 0.1192*g + 0.9505*b) / 1.089)
	return lab{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// linear undoes the gamma of the lowest 8 bits of c.
func linear(c uint32) float64 {
	v := float64(c&0xFF) / 255
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func bend(t float64) float64 {
	const e = 6.0 / 29
	if t > e*e*e {
		return math.Cbrt(t)
	}
	return t/(3*e*e) + 4.0/29
}

// distance is the colour difference ΔE of CIE 1976: about 2 is what a trained eye sees between two large areas, 100
// lies between black and white.
func (c lab) distance(d lab) float64 {
	return math.Sqrt((c[0]-d[0])*(c[0]-d[0]) + (c[1]-d[1])*(c[1]-d[1]) + (c[2]-d[2])*(c[2]-d[2]))
}
