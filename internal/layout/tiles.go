package layout

import (
	"cmp"
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// uniteTiles puts pictures together that a program has cut into strips or tiles: images that share a whole edge. One
// of them gets the box of all and the others an empty one, so that the indexes of images stay. images is not changed.
// Its cost is n log n.
func uniteTiles(images []document.Image) []document.Image {
	if len(images) < 2 {
		return images
	}
	out := slices.Clone(images)
	for range 2 { // strips make columns, columns beside each other the whole
		uniteRows(out, func(b document.Box) document.Box { return b })
		uniteRows(out, transposed)
	}
	return out
}

// transposed is b with x and y exchanged.
func transposed(b document.Box) document.Box {
	return document.Box{Left: b.Top, Top: b.Left, Right: b.Bottom, Bottom: b.Right}
}

// uniteRows unites the images that follow each other from left to right, and have their tops and bottoms in common, in
// the boxes that turned gives.
func uniteRows(images []document.Image, turned func(document.Box) document.Box) {
	const (
		apart = 0.5 // points between two tiles, at most: programs round their edges to pixels
		over  = 2.0 // points by which they may overlap, for the same reason
		even  = 0.5 // points to which their tops and bottoms agree
	)
	type tile struct {
		top, bottom int // in steps of even
		left, right float64
		image       *document.Image
	}
	step := func(v float64) int { return int(math.Round(v / even)) }
	tiles := make([]tile, 0, len(images))
	for i := range images {
		if b := turned(images[i].Box); !b.Empty() {
			tiles = append(tiles, tile{step(b.Top), step(b.Bottom), b.Left, b.Right, &images[i]})
		}
	}
	slices.SortStableFunc(tiles, func(a, b tile) int {
		return cmp.Or(cmp.Compare(a.top, b.top), cmp.Compare(a.bottom, b.bottom), cmp.Compare(a.left, b.left))
	})
	for i := 1; i < len(tiles); i++ {
		a, b := &tiles[i-1], &tiles[i]
		gap := b.left - a.right
		if a.top != b.top || a.bottom != b.bottom || gap > apart || gap < -over ||
			a.image.MCID != b.image.MCID || a.image.Artifact != b.image.Artifact {
			continue
		}
		a.image.Box = a.image.Box.Union(b.image.Box)
		b.image.Box = document.Box{}
		b.image, b.right = a.image, max(a.right, b.right)
	}
}
