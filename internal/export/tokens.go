package export

import "github.com/tiktoken-go/tokenizer/codec"

// tokenCounter counts tokens as the vocabulary cl100k_base has them: that of the embedding models text-embedding-3, which
// chunks are most often made for. Its successor o200k_base and other vocabularies made for many languages take fewer
// tokens for nearly every text, so that a chunk that is small enough here is so there. It is also half as large.
type tokenCounter struct{ codec *codec.Codec }

// newTokenCounter makes the vocabulary when it is first called: 5 ms, and 4 MB from then on.
func newTokenCounter() tokenCounter { return tokenCounter{codec.NewCl100kBase()} }

// count is the number of tokens of s. It takes time in proportion to the length of s, unless s has long stretches of
// mixed white space, which the texts of chunks do not.
func (c tokenCounter) count(s string) int {
	n, err := c.codec.Count(s)
	if err != nil {
		return len(s) // only a time limit can fail, and none is set; no token is shorter than a byte
	}
	return n
}
