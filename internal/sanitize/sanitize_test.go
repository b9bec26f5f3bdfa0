package sanitize_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/sanitize"
)

// sanitized is a paragraph after sanitizing. Line ends in s are those of its lines, which go on with a space.
func sanitized(s string) string {
	d := document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{paragraph(s)}}}}
	sanitize.Document(&d, " ")
	return printed(d.Pages[0].Elements[0].Lines)
}

func paragraph(s string) document.Element {
	return document.Element{ID: "p1.e1", Kind: document.Paragraph, Page: 1, Lines: lines(s)}
}

func lines(s string) []document.Line {
	var l []document.Line
	for text := range strings.SplitSeq(s, "\n") {
		l = append(l, document.Line{Runs: []document.Run{{Text: text}}})
	}
	return l
}

// printed is the text of lines as they stand below one another.
func printed(lines []document.Line) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, r := range l.Runs {
			b.WriteString(r.Text)
		}
	}
	return b.String()
}

// check sanitizes each text. In a wanted text the placeholder stands for the value; one that is left out means that
// the text stays as it is.
func check(t *testing.T, cases [][2]string) {
	t.Helper()
	for _, c := range cases {
		want := c[1]
		if want == "" {
			want = c[0]
		}
		if got := sanitized(c[0]); got != want {
			t.Errorf("%q\n became %q\n    want %q", c[0], got, want)
		}
	}
}

func TestDocument_emails(t *testing.T) {
	check(t, [][2]string{
		{"Mail: jane.doe@example.com and billing+eu@mail.example.org.", "Mail: [EMAIL_1] and [EMAIL_2]."},
		{"(jane@example.com)", "([EMAIL_1])"},
		{"<jane@example.com>, \"Doe\"", "<[EMAIL_1]>, \"Doe\""},
		{"mailto:jane@example.com?subject=x", "[EMAIL_1]?subject=x"},
		{"E-mail:jane_doe-2@sub.example.co.uk;", "E-mail:[EMAIL_1];"},
		{"o'brien@example.ie wrote", "[EMAIL_1] wrote"},
		{"jürgen@müller.de", "[EMAIL_1]"},
		{"邮箱jane@example.com。", "邮箱[EMAIL_1]。"},
		{"jane＠example．com", "[EMAIL_1]"},
		{"{jane,john}@cs.example.edu", "[EMAIL_1]"},
		{"jane (at) example (dot) com", "[EMAIL_1]"},
		{"jane [at] example.com", "[EMAIL_1]"},
		{"jane @ example.com", "[EMAIL_1]"},
		{"root@[192.0.2.1]", "[EMAIL_1]"},
		{"Mail:jane@example.comPhone:", "Mail:[EMAIL_1]Phone:"},
		{"jane@corp.example is made up", "[EMAIL_1] is made up"},
		{"write to jane@example.com.Then wait", "write to [EMAIL_1].Then wait"},
		{"Jane@Example.COM is jane@example.com, not john@example.com", "[EMAIL_1] is [EMAIL_1], not [EMAIL_2]"},
		{"@jane and foo@bar", ""},
		{"package left@1.2.3", ""},
		{"3 @ 4.50 each", ""},
		{"Meet @ noon. Then", ""},
		{"decorators such as @app.route", ""},
		// Over line ends.
		{"write jane.doe@\nexample.com now", "write [EMAIL_1]\n now"},
		{"write jane.doe\n@example.com now", "write [EMAIL_1]\n now"},
		{"write jane.doe@example.\ncom now", "write [EMAIL_1]\n now"},
		{"write jane.doe@exam\nple.com now", "write [EMAIL_1]\n now"},
		{"write jane.\ndoe@example.com now", "write [EMAIL_1]\n now"},
		{"write jane@example.co.\nuk now", "write [EMAIL_1]\n now"},
		{"write jane@example.com.\nThen wait", "write [EMAIL_1].\nThen wait"},
		{"write jane@example.com\nthen wait", "write [EMAIL_1]\nthen wait"},
	})
}

func TestDocument_web_addresses(t *testing.T) {
	check(t, [][2]string{
		{"Homepage https://www.example.com/account?id=42", "Homepage [URL_1]"},
		{"see http://example.com, or HTTPS://EXAMPLE.ORG/a_(b).", "see [URL_1], or [URL_2]."},
		{"(see https://example.com/x)", "(see [URL_1])"},
		{"“https://example.com/x”", "“[URL_1]”"},
		{"ftp://ftp.example.com/pub/", "[URL_1]"},
		{"ssh://git@example.com:22/x.git", "[URL_1]"},
		{"www.example.com", "[URL_1]"},
		{"Visit www.example.com/a?b=c#d!", "Visit [URL_1]!"},
		{"example.com/account and sub.example.co.uk", "[URL_1] and [URL_2]"},
		{"at example.com.", "at [URL_1]."},
		{"Web: beispiel.de", "Web: [URL_1]"},
		{"请访问https://example.com/a了解", "请访问[URL_1]了解"},
		{"http://192.0.2.17:8080/x", "[URL_1]"},
		{"nospacehttps://example.com/x", "nospace[URL_1]"},
		{"http://[2001:db8::1]/x", "[URL_1]"},
		{"https://example.com and http://example.com/", "[URL_1] and [URL_1]"},
		{"Node.js, ASP.NET, file.txt, README.md, main.py and e.g. this", ""},
		{"and/or, km/h, 24/7, src/main.go, a.b/c", ""},
		{"end.The next, done.it is", ""},
		{"System.out.println and java.util.List", ""},
		{"std::vector://", ""},
		{"the scheme http:// is", ""},
		// Over line ends.
		{"at https://example.com/\naccount?id=42 now", "at [URL_1]\n now"},
		{"at https://www.example.com/acc\nount?id=42 now", "at [URL_1]\n now"},
		{"at https://www.\nexample.com/a now", "at [URL_1]\n now"},
		{"at https://example.com/long-\nname.html now", "at [URL_1]\n now"},
		{"at https://example.com/a\nb/c/d. Now", "at [URL_1].\n Now"},
		{"at https://example.com/x_\ny/\nz1.pdf now", "at [URL_1]\n\n now"},
		{"at https://example.com/x\nand so on", "at [URL_1]\nand so on"},
		{"at https://example.com/\nfor more", "at [URL_1]\nfor more"},
		{"at https://example.com.\nThe end", "at [URL_1].\nThe end"},
		{"https://example.com/a\nhttps://example.com/b", "[URL_1]\n[URL_2]"},
	})
}

func TestDocument_phones(t *testing.T) {
	check(t, [][2]string{
		{"Phone: (212) 555-0147, +1 415 555 0198 and +44 20 7946 0958", "Phone: [PHONE_1], [PHONE_2] and [PHONE_3]"},
		{"desk@example.com or 555-0142.", "[EMAIL_1] or [PHONE_1]."},
		{"Contact us at 867-5309.", "Contact us at [PHONE_1]."},
		{"212-555-0147, 212.555.0147, 1-800-555-0199, 212 555 0147", "[PHONE_1], [PHONE_1], [PHONE_2], [PHONE_1]"},
		{"(212)555-0147 ext. 12 or 212-555-0147 x34", "[PHONE_1] or [PHONE_2]"},
		{"+1 (415) 555-0198", "[PHONE_1]"},
		{"+49 30 901820, +49 (0)30 90 18 20, +49 (30) 901820, 0049 30 901820", "[PHONE_1], [PHONE_1], [PHONE_1], [PHONE_1]"},
		{"(+44) 20 7946 0958 (+33 1 23 45 67 89)", "[PHONE_1] ([PHONE_2])"},
		{"+442079460958", "[PHONE_1]"},
		{"+34 912 345 678; +39 06 1234 5678; +31 20 123 4567", "[PHONE_1]; [PHONE_2]; [PHONE_3]"},
		{"+41 44 668 18 00, +43 1 12345-0, +32 2 123 45 67", "[PHONE_1], [PHONE_2], [PHONE_3]"},
		{"+86 138 0013 8000, +81 3-1234-5678, +82 2-312-3456, +91 98765 43210", "[PHONE_1], [PHONE_2], [PHONE_3], [PHONE_4]"},
		{"+55 (11) 91234-5678, +7 (495) 123-45-67, +61 2 9876 5432, +353 1 234 5678", "[PHONE_1], [PHONE_2], [PHONE_3], [PHONE_4]"},
		{"020 7946 0958, (020) 7946 0958, 07700 900123, 07700900123", "[PHONE_1], [PHONE_1], [PHONE_2], [PHONE_2]"},
		{"030/901820, 030 901820, (030) 90 18 20, 0171-1234567, 0171 / 123 45 67", "[PHONE_1], [PHONE_1], [PHONE_1], [PHONE_2], [PHONE_2]"},
		{"01 23 45 67 89 ou 06.12.34.56.78", "[PHONE_1] ou [PHONE_2]"},
		{"02 1234 5678, 03-1234-5678, 0800 123 4567", "[PHONE_1], [PHONE_2], [PHONE_3]"},
		{"(11) 91234-5678, 8 (495) 123-45-67", "[PHONE_1], [PHONE_2]"},
		{"138 0013 8000", "[PHONE_1]"},
		{"Tel.: 912 345 678, Fax 22 12 34 56", "Tel.: [PHONE_1], Fax [PHONE_2]"},
		{"Telefon: 90 18 20", "Telefon: [PHONE_1]"},
		{"电话：12345678", "电话：[PHONE_1]"},
		{"Phone number is 5550142", "Phone number is [PHONE_1]"},
		{"Phone 0049-30-901820 / 0049 172 1234567", "Phone [PHONE_1] / [PHONE_2]"},
		{"415-555-2671x123 and 415-555-2671-99", "[PHONE_1] and 415-555-2671-99"},
		{"089/1234-0, Indian mobile 98765 43210", "[PHONE_1], Indian mobile [PHONE_2]"},
		{"call 1300 123 456 or 8 800 555-35-35", "call [PHONE_1] or [PHONE_2]"},
		{"reach 10 000 000 people, issue 012/2023", ""},
		{"Telephone: (0)20 7946 0958", "Telephone: [PHONE_1]"},
		{"tel:+1-212-555-0147", "tel:[PHONE_1]"},
		{"T +49 30 901820 F +49 30 901821", "T [PHONE_1] F [PHONE_2]"},
		{"Call (212) 555–0147", "Call [PHONE_1]"},
		{"030 901820-0", "[PHONE_1]"},
		{"call 212-555-0147 on 24/12/2023 at 10:30", "call [PHONE_1] on 24/12/2023 at 10:30"},
		{"+44 20 7946 0958 24/12/2023", "[PHONE_1] 24/12/2023"},
		// No telephone numbers.
		{"Order number 1234-5678 was shipped in version 2.14.0 of the system.", ""},
		{"The 4111 visitors spent 12.50 each on 24/12/2023.", ""},
		{"on 2023-12-24, 24.12.2023, 01.02.2023, 01/02/2023, 01-02-2023 and 20231224", ""},
		{"at 12:30:45 or 08:15", ""},
		{"ISBN 978-0-306-40615-7, ISBN 0306406152, ISSN 1234-5678", ""},
		{"pages 123-456, pp. 200-1500, 1999-2004", ""},
		{"ISO 9001-2015, RFC 2119, IEEE 802.11", ""},
		{"1 000 000, 1,234,567 and 12 345 678 people", ""},
		{"12.345.678,90 € and $1,234.56", ""},
		{"invoice 212-555-0147", ""},
		{"52.5200, 13.4050 and 40° 26′ 46″", ""},
		{"ABC-123-456-7890 and 123-45-678", ""},
		{"10.1016/0304-3975(96)00072-2", ""},
		{"45(3), 123-145 (2020) 1234-1240", ""},
		{"01 02 03 04 05", ""},
		{"3 +1 234 = 1237", ""},
		{"order no. 0123456789", ""},
		{"BAT-2023-001234, 2023-001234", ""},
		{"1.2.3, 2.14.0, 10.0.19041", ""},
		{"0.123 456 789 and 0,5-0,75", ""},
		{"12 34 56 78 90 12 34", ""},
		{"5-3-2 formation, 90-210", ""},
		{"Zip 12345-6789", ""},
		// Over line ends.
		{"call +44 20 7946\n0958 now", "call [PHONE_1]\n now"},
		{"call (212)\n555-0147 now", "call [PHONE_1]\n now"},
		{"call (212) 555-\n0147 now", "call [PHONE_1]\n now"},
		{"call (212) 555-01\n47 now", "call [PHONE_1]\n now"},
	})
}

func TestDocument_cards(t *testing.T) {
	check(t, [][2]string{
		{"Card: 4111 1111 1111 1111, also 5555-5555-5555-4444", "Card: [CARD_1], also [CARD_2]"},
		{"4111111111111111 and 4111-1111-1111-1111", "[CARD_1] and [CARD_1]"},
		{"3782 822463 10005, 371449635398431", "[CARD_1], [CARD_2]"},
		{"6011 1111 1111 1117, 3530 1113 3330 0000, 3056 930902 5904", "[CARD_1], [CARD_2], [CARD_3]"},
		{"2223 0031 2200 3222, 6304 0000 0000 0000", "[CARD_1], [CARD_2]"},
		{"4222 2222 2222 2", "[CARD_1]"},
		{"4111 1111 1111 1111 12/27 123", "[CARD_1] 12/27 123"},
		{"4111 1111 1111 1112", ""},
		{"1234 5678 9012 3452", ""},
		{"9780306406157", ""},
		{"4111 visitors", ""},
		{"1-4111111111111111", ""},
		{"0.4111111111111111", ""},
		{"4111 1111\n1111 1111 x", "[CARD_1]\n x"},
		{"5555-5555-\n5555-4444 x", "[CARD_1]\n x"},
		{"4111 1111 11\n11 1111 x", "[CARD_1]\n x"},
	})
}

func TestDocument_accounts(t *testing.T) {
	check(t, [][2]string{
		{"IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFF", "IBAN [IBAN_1], BIC COBADEFF"},
		{"GB29NWBK60161331926819 and GB29 NWBK 6016 1331 9268 19.", "[IBAN_1] and [IBAN_1]."},
		{"FR14 2004 1010 0505 0001 3M02 606", "[IBAN_1]"},
		{"NL91ABNA0417164300 NO9386011117947", "[IBAN_1] [IBAN_2]"},
		{"CH93 0076 2011 6238 5295 7; AT61 1904 3002 3457 3201", "[IBAN_1]; [IBAN_2]"},
		{"DE89-3704-0044-0532-0130-00", "[IBAN_1]"},
		{"DE89 3704 0044 0532 0130 01", ""},
		{"IN12 3456", ""},
		{"DE89 3704 0044\n0532 0130 00 x", "[IBAN_1]\n x"},
	})
}

func TestDocument_network_addresses(t *testing.T) {
	check(t, [][2]string{
		{"Server 192.0.2.17 and 198.51.100.200, gateway 2001:db8::1", "Server [IP_1] and [IP_2], gateway [IP_3]"},
		{"192.0.2.17:8080, 192.0.2.0/24 and (192.0.2.17).", "[IP_1]:8080, [IP_2]/24 and ([IP_1])."},
		{"“10.0.0.1”", "“[IP_1]”"},
		{"2001:0db8:0000:0000:0000:0000:0000:0001 is 2001:DB8::1", "[IP_1] is [IP_1]"},
		{"fe80::1%eth0, ::1, ::ffff:192.0.2.1, 2001:db8::/32", "[IP_1], [IP_2], [IP_3], [IP_4]/32"},
		{"[2001:db8::1]:443", "[IP_1]:443"},
		{"Ping 8.8.8.8 now", "Ping [IP_1] now"},
		{"00:1A:2b:3c:4d:5e and 00-1a-2B-3C-4D-5E, 001a.2b3c.4d5e", "[MAC_1] and [MAC_1], [MAC_1]"},
		{"MAC 00-11-22-33-44-55", "MAC [MAC_1]"},
		{"rules 192.168.1.1, part 172.16.0.4", "rules [IP_1], part [IP_2]"},
		{"the DNS is 1.2.3.4, host 5.6.7.8, 5.6.7.8:80, from 10.1.2.3", "the DNS is [IP_1], host [IP_2], [IP_2]:80, from [IP_3]"},
		{"1.2.3.4 Scope of this, see 5.1.1.2", ""},
		{"10.1.2.3 Scope of this", ""},
		{"a mask of 255.255.255.0", ""},
		{"see section 3.1.2.4 and 3.1.2.5", ""},
		{"version 2.14.0.1, v1.2.3.4, Version: 10.0.0.1", ""},
		{"Kernel 5.15.0.91, figure 3.1.2.45", ""},
		{"Figures 1.2.3.4, 1.2.3.5 and 1.2.3.6", ""},
		{"1.2.3.4.5, 256.1.1.1, 1.2.3, 2.14.0", ""},
		{"at 12:30:45, std::vector, a::b, foo::bar::1", ""},
		{"AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01", ""},
		{"ratio 3:4:5:6, John 3:16", ""},
		{"::", ""},
		{"at 192.0.\n2.17 x", "at [IP_1]\n x"},
		{"at 2001:db8:\n:1 x", "at [IP_1]\n x"},
		{"at 00:1A:2B:\n3C:4D:5E x", "at [MAC_1]\n x"},
		{"in chapter 3.\n192.0.2.17 is", "in chapter 3.\n[IP_1] is"},
	})
}

func TestDocument_identities(t *testing.T) {
	check(t, [][2]string{
		{"Passport no. X1234567, issued 2019", "Passport no. [ID_1], issued 2019"},
		{"passport number: 123456789", "passport number: [ID_1]"},
		{"Reisepass-Nr. C01X00T47", "Reisepass-Nr. [ID_1]"},
		{"Passeport n° 12AB34567", "Passeport n° [ID_1]"},
		{"Pasaporte: AAA123456", "Pasaporte: [ID_1]"},
		{"护照号码：E12345678", "护照号码：[ID_1]"},
		{"Personalausweis L01X00T471", "Personalausweis [ID_1]"},
		{"DNI 12345678Z", "DNI [ID_1]"},
		{"National Insurance number QQ 12 34 56 C", "National Insurance number [ID_1]"},
		{"SSN: 078-05-1120; 219-09-9999", "SSN: [ID_1]; [ID_2]"},
		{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10", "[ID_1]\n[ID_2]"},
		{"P<GBRSMITH<<JOHN<<<<<<<<<<<<<<<<<<<<<<<<<<<<", "[ID_1]"},
		{"Driver's license: D1234567", "Driver's license: [ID_1]"},
		{"order 219-09-9999, 000-12-3456, 1219-09-9999", ""},
		{"the passport of 2019-2020 travellers", ""},
		{"passport holders in 12 countries", ""},
		{"Serial no. X1234567", ""},
		{"std::vector<std::pair<INT, INT>>", ""},
	})
}

func TestDocument_takes_the_names_of_rows_and_columns_for_words_before_a_cell(t *testing.T) {
	cell := func(row, col int, s string) document.Cell {
		return document.Cell{Row: row, Col: col, RowSpan: 1, ColSpan: 1, Lines: lines(s)}
	}
	d := document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{{Kind: document.Table, Page: 1, Grid: &document.Grid{
		Rows: 4, Cols: 3, HeaderRows: 1,
		Cells: []document.Cell{
			cell(0, 0, "Name"), cell(0, 1, "Phone"), cell(0, 2, "Order no."),
			cell(1, 0, "Ann"), cell(1, 1, "55 01 42"), cell(1, 2, "212-555-0147"),
			cell(2, 0, "Passport number"), cell(2, 1, "X1234567"), cell(2, 2, "219-09-9999"),
			cell(3, 0, "212"), cell(3, 1, "12"), cell(3, 2, "555-0142"),
		},
	}}}}}}
	sanitize.Document(&d, " ")
	want := []string{"Name", "Phone", "Order no.", "Ann", "[PHONE_1]", "212-555-0147", "Passport number", "[ID_1]", "219-09-9999", "212", "12", "555-0142"}
	for i, c := range d.Pages[0].Elements[0].Grid.Cells {
		if got := printed(c.Lines); got != want[i] {
			t.Errorf("cell %d is %q, want %q", i, got, want[i])
		}
	}
}

func TestDocument_replaces_what_stands_for_pictures_marks_and_targets(t *testing.T) {
	d := document.Document{
		Meta: document.Meta{Title: "jane@example.com", Creator: "Writer 7.1.0.2", Language: "en"},
		Pages: []document.Page{{Number: 3, Elements: []document.Element{
			{Kind: document.Figure, Page: 3, Alt: "A card of JANE@example.com"},
			{Kind: document.List, Page: 3, Children: []document.Element{{Kind: document.ListItem, Page: 3, Marker: "1.2.3.4", Lines: []document.Line{
				{Runs: []document.Run{{Text: "here", Link: "mailto:john@example.com"}}},
			}}}},
		}}},
	}
	warnings := sanitize.Document(&d, " ")
	p := &d.Pages[0]
	for _, c := range [][2]string{
		{d.Meta.Title, "[EMAIL_1]"},
		{d.Meta.Creator, "Writer 7.1.0.2"},
		{d.Meta.Language, "en"},
		{p.Elements[0].Alt, "A card of [EMAIL_1]"},
		{p.Elements[1].Children[0].Marker, "1.2.3.4"},
		{p.Elements[1].Children[0].Lines[0].Runs[0].Link, ""},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
	want := []document.Warning{{
		Code:    "sanitized",
		Message: "Personal data was replaced by placeholders: 1 e-mail address. The targets of links were removed.",
		Pages:   []int{3},
	}}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestDocument_without_personal_data_says_nothing_and_stays(t *testing.T) {
	d := document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{paragraph("Nothing in 2023.")}}}}
	if w := sanitize.Document(&d, " "); w != nil || printed(d.Pages[0].Elements[0].Lines) != "Nothing in 2023." {
		t.Errorf("%v", w)
	}
}

// What is raised behind a value is the mark of a note, and no digit of it.
func TestDocument_tells_marks_of_notes_from_values(t *testing.T) {
	e := document.Element{Kind: document.Paragraph, Page: 1, Lines: []document.Line{{Runs: []document.Run{
		{Text: "call 555-0142"}, {Text: "3", Superscript: true}, {Text: " or jane@example.com"}, {Text: "4", Superscript: true}, {Text: "."},
	}}}}
	d := document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{e}}}}
	sanitize.Document(&d, " ")
	if got := printed(d.Pages[0].Elements[0].Lines); got != "call [PHONE_1]3 or [EMAIL_1]4." {
		t.Error(got)
	}
}
