package engine

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/encoding/charmap"

	"github.com/ragify/ragify/internal/document"
)

const (
	prose = "The fonts of a document say which characters their glyphs are. Where they say something else than what the page " +
		"shows, a reader sees nothing of it, and every program that takes the text out of the file gets letters without sense. " +
		"Such a text has the same words of the same lengths, and yet no letter follows another as it does in a language."
	russian = "Шрифты документа говорят, какими символами являются их глифы. Если они говорят не то, что показывает страница, " +
		"читатель этого не видит, а каждая программа, которая извлекает текст из файла, получает буквы без смысла."
	french = "Les polices d’un document disent quels caractères sont leurs glyphes. Là où elles disent autre chose que ce que la page " +
		"montre, le lecteur n’en voit rien, et chaque programme qui extrait le texte du fichier reçoit des lettres dénuées de sens. " +
		"« C’est fâcheux », dit-on, « mais fréquent »."
	vietnamese = "Phông chữ của một tài liệu cho biết các ký tự mà hình dạng của chúng thể hiện. Khi chúng cho biết điều khác với những gì " +
		"trang hiển thị, người đọc không thấy gì, và mọi chương trình lấy văn bản ra khỏi tệp đều nhận được các chữ cái vô nghĩa."
	chinese = "本标准旨在帮助组织开发和维护安全的应用程序，并允许安全服务厂商、安全工具供应商和消费者调整他们的要求和产品。应用程序安全验证标准定义了三个" +
		"安全验证级别，每个级别的深度都在增加。每个级别都包含一个安全要求的列表，其中的每一项都可以对应到开发人员必须在软件中建立的特定安全特性和功能。" +
		"我们强烈鼓励在开发过程中使用安全工具，来查找容易发现的、不应该出现的安全问题。在没有人工协助的情况下，超过半数的验证项无法被自动化工具完成。"
	code = "for (i = 0; i < n; i++) { if (a[i] != 0x1F && !strcmp(names[i], \"id\")) { printf(\"%s:%d\\n\", names[i], a[i]); } } " +
		"func (b *buffer) writeHexString(src []byte) { for _, c := range src { b.data = append(b.data, hexDigits[c>>4], hexDigits[c&15]) } } " +
		"SELECT id, created_at FROM accounts WHERE tier = 'pro' AND active_jobs < max_jobs ORDER BY created_at DESC LIMIT 20;"
	arabic = "تعتبر البرمجة من الأدوات القوية التي يمكن أن تعزز الإنتاجية وتساعد في إيجاد حلول فعالة للمشكلات، مما يسهل على المحللين والعلماء إجراء " +
		"تحليلات معقدة بطريقة سريعة وفعالة. إذا كان لديك عقلية تحليلية فإن استخدام هذه اللغات يمكن أن يسهم بشكل كبير في تحسين نتائج العمل."
)

func TestGarbled_passes_clean_text(t *testing.T) {
	for name, text := range map[string]string{
		"English": prose, "Russian": russian, "French": french, "Vietnamese": vietnamese, "Chinese": chinese, "Arabic": arabic, "code": code,
		"capitals": strings.ToUpper(prose), "too short": "7KLV LV WKH WH[W",
		"numbers":   strings.Repeat("1,234.56 (12.3%) $1,000 07/12 ", 30),
		"acronyms":  strings.Repeat("HTTP XML SMTP TCP PDF CWE NIST GDPR LDAP TLS ", 10),
		"checksums": strings.Repeat("3f786850e387550fdab836ed7e6dc881de23001b ", 10),
		"leaders":   strings.Repeat("Contents ................................ 12 ", 10),
	} {
		if garbled(pageOf(text)) {
			t.Errorf("%s is held to be garbled", name)
		}
	}
}

func TestGarbled_finds_text_that_reads_like_no_language(t *testing.T) {
	shift := func(by rune) func(rune) rune {
		return func(r rune) rune {
			if r <= ' ' {
				return r
			}
			return r + by
		}
	}
	misread := func(c *charmap.Charmap, s string) string {
		out, err := c.NewDecoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	windows, err := charmap.Windows1251.NewEncoder().String(russian)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"codes of glyphs for characters":  strings.Map(shift(-29), prose),
		"codes in order of appearance":    inOrderOfAppearance(prose),
		"another font's letters":          strings.Map(shift(3), strings.ToLower(prose)),
		"Cyrillic read as Western":        misread(charmap.Windows1252, windows),
		"UTF-8 read as Western":           misread(charmap.Windows1252, french),
		"letters of many scripts":         strings.Map(func(r rune) rune { return []rune("aжبשกअ")[r%6] }, prose),
		"another collection's ideographs": strings.Map(func(r rune) rune { return 0x7000 + r*31%0x2000 }, chinese),
	} {
		if !garbled(pageOf(strings.Repeat(text+" ", 2))) {
			t.Errorf("%s: %.60q is held to be text", name, text)
		}
	}
}

// inOrderOfAppearance numbers characters as they come, as subsets of fonts do.
func inOrderOfAppearance(s string) string {
	seen := make(map[rune]rune)
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return r
		}
		if _, ok := seen[r]; !ok {
			seen[r] = '!' + rune(len(seen))
		}
		return seen[r]
	}, s)
}

// pageOf sets a text in one line.
func pageOf(text string) *document.Content {
	c := &document.Content{Number: 1, Width: 600, Height: 800, Fonts: []document.Font{{Name: "R"}}}
	x := 0.0
	for _, r := range text {
		c.Glyphs = append(c.Glyphs, document.Glyph{
			Rune: r, OriginX: x, OriginY: 100, Size: 10, Loose: document.Box{Left: x, Top: 93, Right: x + 5, Bottom: 102},
		})
		x += 5
	}
	return c
}
