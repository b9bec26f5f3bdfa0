package sanitize

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words that say what follows them, in small letters. Those of other languages are the ones that forms, letters and
// business cards use most.
var (
	phoneWords = []string{
		"tel", "telephone", "telephones", "phone", "phones", "ph", "fax", "telefax", "facsimile", "mobile", "mob", "cell", "cellphone", "cellular", "hotline", "whatsapp", "sms", "landline",
		"telefon", "telefonnummer", "rufnummer", "faxnummer", "mobil", "mobiltelefon", "handy", "handynummer", "mobilnummer", "fon", "durchwahl", "tél", "téléphone", "télécopie", "portable",
		"teléfono", "teléfonos", "telefono", "móvil", "movil", "celular", "cellulare", "telefone", "telemóvel", "telefoon", "telefoonnummer", "mobiel", "gsm", "telefoni", "puhelin", "puh",
		"tlf", "tfn", "telefonszám", "тел", "телефон", "факс", "моб", "τηλ", "τηλέφωνο", "電話", "电话", "電話番号", "电话号码", "手机", "手机号", "手機", "传真", "傳真", "携帯", "전화", "전화번호", "휴대폰", "팩스", "هاتف", "טלפון", "नंबर",
	}
	callWords = []string{
		"call", "calls", "dial", "ring", "contact", "reach", "text", "helpline", "helpdesk", "anrufen", "anruf", "ruf", "rufen", "appelez", "appeler", "llame", "llamar", "llama", "chiamare", "chiama", "ligue", "bel",
	}
	// dialWords are those of callWords that a number alone may follow.
	dialWords = []string{"call", "dial", "anrufen", "appelez", "llame", "chiama", "ligue"}
	siteWords = []string{
		"web", "website", "site", "homepage", "internet", "url", "urls", "domain", "online", "www", "link", "webseite", "internetseite", "site web", "sitio web", "página web", "sito", "sito web", "webbplats", "hjemmeside", "сайт", "网址", "网站", "ホームページ",
	}
	// networkWords are about networks wherever they stand, hostWords right before an address.
	networkWords = []string{"ip", "ips", "ipv4", "ip-adresse", "ip-adressen", "gateway", "dns", "nameserver", "router", "resolver", "ping", "traceroute", "whois", "subnet", "netmask"}
	hostWords    = []string{"address", "addresses", "adresse", "dirección", "indirizzo", "host", "hosts", "server", "servers", "client", "proxy", "node", "peer", "localhost"}
	macWords     = []string{
		"mac", "macs", "mac address", "mac addresses", "mac-adresse", "bssid", "hardware address", "physical address", "ethernet address", "hwaddr", "ether", "eui-48", "eui-64",
	}
	// identityWords are the documents that name a person by a number, and the numbers that states give to persons.
	identityWords = []string{
		"passport", "passports", "passport card", "passeport", "reisepass", "reisepassnummer", "passnummer", "pass-nr", "pasaporte", "passaporto", "passaporte", "paspoort", "paspoortnummer", "passnr", "paszport", "paszportu", "паспорт", "паспорта", "护照", "护照号", "护照号码", "護照", "旅券", "旅券番号", "パスポート", "パスポート番号", "여권", "여권번호",
		"identity card", "identity document", "id card", "id-card", "national id", "national identity", "national identification", "national insurance", "nino",
		"personalausweis", "personalausweisnummer", "ausweis", "ausweisnummer", "ausweis-nr", "personalausweis-nr", "personalausweisnr", "carte d'identité", "carte nationale d'identité", "carte d’identité", "cni", "dni", "nif", "documento de identidad", "documento nacional de identidad", "cédula", "cédula de identidad", "cedula", "carta d'identità", "carta d’identità", "codice fiscale", "cartão de cidadão", "cpf", "curp", "rut", "pesel", "bsn", "burgerservicenummer", "personnummer", "personnr", "fødselsnummer", "henkilötunnus", "dowód osobisty", "身份证", "身份证号", "身份证号码", "身分證", "マイナンバー", "주민등록번호",
		"ssn", "social security", "itin", "tax id", "taxpayer id", "taxpayer identification", "steuer-id", "steuer-identifikationsnummer", "steueridentifikationsnummer", "sozialversicherungsnummer", "rentenversicherungsnummer", "sécurité sociale", "seguridad social", "aadhaar", "aadhar",
		"driver's license", "driver’s license", "driver's licence", "driver’s licence", "drivers license", "drivers licence", "driving licence", "driving license", "driver license", "driver licence", "führerschein", "führerscheinnummer", "permis de conduire", "carné de conducir", "permiso de conducir", "patente di guida", "rijbewijs", "visa no", "visa number", "residence permit", "aufenthaltstitel",
	}
	// otherWords are those of numbers that are no one's: what they say is not replaced as something else.
	otherWords = []string{
		"order", "orders", "purchase order", "po", "p.o", "invoice", "invoices", "bill", "receipt", "ref", "reference", "references", "sku", "part", "parts", "item", "items", "article", "art", "serial", "s/n", "model", "type", "ticket", "case", "customer", "account", "batch", "lot", "tracking", "booking", "confirmation", "policy", "contract", "quote", "quotation", "project", "docket", "patent", "grant", "award", "isbn", "issn", "isbn-10", "isbn-13", "doi", "pmid", "arxiv", "cve", "rfc", "iso", "din", "en", "iec", "ansi", "nist", "fips", "omb", "cas", "ean", "gtin", "upc", "version", "page", "pages", "pp", "p", "section", "sections", "chapter", "table", "figure", "fig", "vol", "volume", "issue", "room", "suite", "year", "years", "zip", "copyright", "budget", "total", "amount", "sum", "id", "code", "zip code", "postal code", "registration", "report", "bericht", "form", "formular", "bates", "request", "rfq", "rfp", "file", "bug", "pr", "commit",
		"bestellung", "bestellnummer", "bestell-nr", "auftrag", "auftragsnummer", "auftrags-nr", "rechnung", "rechnungsnummer", "rechnungs-nr", "kunde", "kundennummer", "kunden-nr", "artikel", "artikelnummer", "artikel-nr", "art.-nr", "seriennummer", "teilenummer", "teile-nr", "aktenzeichen", "az", "vorgang", "vertrag", "vertragsnummer", "seite", "seiten", "hrb", "plz",
		"commande", "facture", "référence", "réf", "client", "pedido", "factura", "referencia", "cliente", "ordine", "fattura", "riferimento", "encomenda", "fatura", "referência", "bestelling", "factuur", "订单", "订单号", "发票", "注文番号",
	}
)

// fillers are words between what a number is and the number: "phone number is", "call us at".
var fillers = []string{
	"no", "nos", "nr", "nrs", "num", "number", "numbers", "nummer", "nummern", "numéro", "numero", "número", "n", "nro", "núm", "is", "are", "at", "on", "us", "me", "the", "my", "our", "your", "his", "her", "ist", "sind", "lautet", "unter", "est", "es", "sono", "and", "or", "und", "oder", "et", "ou", "y", "o", "office", "home", "work", "private", "direct", "main", "toll", "free", "privat", "büro", "der", "die", "de", "of", "for", "au", "al", "holder", "番号", "号码", "号", "is:", "line",
}

// textBefore is what stands before a position, up to the length of a sentence, in small letters. Where values were
// found there is nothing.
func (s *scanner) textBefore(i int) string {
	const sentence = 120 // bytes
	before := s.t.bytes[max(0, i-sentence):i]
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch r {
		case boundary, utf8.RuneError:
			return -1
		case lineEnd:
			return ' '
		}
		return r
	}, string(before)))
}

// contexts are the texts that may say what stands at a position: what stands before it, or, when that has no words, the
// names of the cell's row and column.
func (s *scanner) contexts(i int) []string {
	before := s.textBefore(i)
	if strings.ContainsFunc(before, unicode.IsLetter) {
		return []string{before}
	}
	list := make([]string, 0, len(s.block.labels))
	for _, l := range s.block.labels {
		list = append(list, strings.ToLower(l))
	}
	return list
}

// labelled reports whether one of words stands before a position, with nothing between but fillers.
func (s *scanner) labelled(i int, words []string) bool {
	for _, c := range s.contexts(i) {
		if endsInWord(trimFillers(c), words) {
			return true
		}
	}
	return false
}

// mentioned reports whether one of words stands before a position, in the same sentence or so.
func (s *scanner) mentioned(i int, words []string) bool {
	for _, c := range s.contexts(i) {
		for c != "" {
			if endsInWord(c, words) {
				return true
			}
			_, size := utf8.DecodeLastRuneInString(c)
			c = strings.TrimRightFunc(c[:len(c)-size], func(r rune) bool { return !unicode.IsLetter(r) })
		}
	}
	return false
}

// trimFillers takes off the fillers and punctuation that s ends with.
func trimFillers(s string) string {
	for {
		s = strings.TrimRightFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || strings.ContainsRune(".:;,#=()[]-–—/|°º№*\"'’“”•·&+\x1D", r)
		})
		shorter := s
		for _, f := range fillers {
			if endsIn(s, f) {
				shorter = s[:len(s)-len(f)]
				break
			}
		}
		if shorter == s {
			return s
		}
		s = shorter
	}
}

func endsInWord(s string, words []string) bool {
	for _, w := range words {
		if endsIn(s, w) {
			return true
		}
	}
	return false
}

// endsIn reports whether s ends in a word, and not in a longer one. Scripts without spaces have no longer ones.
func endsIn(s, word string) bool {
	if !strings.HasSuffix(s, word) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(word)
	c, _ := utf8.DecodeLastRuneInString(s[:len(s)-len(word)])
	return first >= 0x3000 || !unicode.IsLetter(c) && !isDigitRune(c)
}

func isDigitRune(r rune) bool { return '0' <= r && r <= '9' }
