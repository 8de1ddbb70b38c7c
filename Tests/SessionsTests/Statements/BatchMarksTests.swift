@testable import Sessions
import Testing

/// What passes on its way to a server says what the session will have to be cleaned of.
@Suite struct BatchMarksTests {
    private func marks(_ talks: Talk...) -> StatementTraits {
        let feed = BatchFeed()
        feed.readAll(talks)
        return feed.marks
    }

    private func call(_ function: UInt32, _ rest: [UInt8] = [0, 0, 0, 0, 0, 0]) -> Talk {
        .raw("F", [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: function >> $0) } + rest)
    }

    @Test func anOrdinaryTextMarksNothing() {
        #expect(self.marks(.query("select 1")) == [])
        #expect(self.marks(.query("select 'a'; select 'b'")) == .multiple)
        #expect(self.marks(.parse("", "select 'a'"), .bind("", "")) == [])
    }

    /// With `standard_conforming_strings` off, the constant ends behind the second quote.
    @Test func aBackslashMayHideASet() {
        #expect(self.marks(.query("select '\\';set search_path=evil;--'")).contains(.set))
        #expect(self.marks(.query("begin; select '\\'")).contains(.set))
        #expect(self.marks(.parse("", "set local my.a = '\\'"), .bind("", "")).contains(.set))
    }

    /// A long query goes on before its end has come, and nobody looks into it.
    @Test func aQueryThatIsNotWaitedForMayDoAnything() {
        let message = Talk.query("select 1 -- " + String(repeating: "long ", count: 20_000)).bytes
        let cut = BatchFeed(reading: [Array(message.prefix(50_000)), Array(message.dropFirst(50_000))])
        #expect(cut.marks == [.set, .setConfig, .advisoryLock, .temporary, .unread])
        #expect(cut.sent == message)
        #expect(BatchFeed(reading: [message]).marks == [])
    }

    /// These leave no tag.
    @Test func aBackslashHidesNoFunction() {
        let cases: [(String, StatementTraits)] = [
            ("select '\\'', set_config('search_path', 'evil', false) --'", .setConfig),
            ("select '\\'', pg_advisory_lock(1) --'", .advisoryLock),
            ("select '\\''; create temp table t (a int) --'", .temporary),
        ]
        for (text, trait) in cases {
            for marks in [self.marks(.query(text)), self.marks(.parse("", text), .bind("", ""))] {
                #expect(marks.contains(trait), "\(text)")
            }
        }
    }

    /// What is created along such a path is temporary, and no word of its own says so.
    @Test func thePathMayNameTheTemporarySchemaInAConstant() {
        for text in [
            "set local search_path = 'pg_temp'", "set search_path to \"$user\", 'PG_Temp'",
            "select set_config('search_path', 'a, pg_temp', true)",
        ] {
            for marks in [self.marks(.query(text)), self.marks(.parse("", text), .bind("", ""))] {
                #expect(marks.contains(.temporary), "\(text)")
            }
        }
    }

    /// The body is a constant, and what it does leaves no tag but `DO`.
    @Test func aBlockOfCodeIsKnownByItsWords() {
        for (text, trait) in [
            ("do $$ begin perform pg_advisory_lock(1); end $$", .advisoryLock),
            ("/* x */ DO LANGUAGE plpgsql 'begin CREATE TEMP TABLE t (a int); end'", .temporary),
            ("begin; do $x$ begin perform set_config('a.b', 'c', false); end $x$", .setConfig),
            ("do $$ begin RESET role; end $$", .setConfig),
            ("do $$ begin execute format('Set a.b = %L', 7); end $$", .setConfig),
            ("do $$ begin execute 'Prepare s as select 1'; end $$", .hiddenStatements),
            ("begin; DO 'begin execute ''deallocate all''; end'", .hiddenStatements),
            ("do $$ begin execute 'declare c cursor with hold for select 1'; end $$", .hiddenStatements),
            ("do $$ begin DEALLOCATE all; end $$", .hiddenStatements),
            ("do $$ begin listen channel; end $$", .hiddenListen),
        ] as [(String, StatementTraits)] {
            #expect(self.marks(.query(text)).contains(trait), "\(text)")
        }
        #expect(self.marks(.query("do $$ begin raise notice 'told'; end $$")) == [])
        #expect(self.marks(.query("select 'do', 'pg_advisory_lock'")) == [])
        #expect(self.marks(.query("select 'do', 'deallocate all'")) == [])
        #expect(self.marks(.query("do $$ begin delete from t where threshold = 1 and prepared_at > x; end $$")) == [])
    }

    /// What is executed is put together while the block runs, or written in escapes; with
    /// `standard_conforming_strings` off the block may begin behind what looks like a constant.
    @Test func aBlockThatCannotBeKnownByItsWordsMayDoAnything() {
        for text in [
            "do $$ begin execute 'deal' || 'locate all'; end $$",
            "do language plpython3u $$ plpy.execute('s' + 'et a.b = 1') $$",
            "do language plperl $$ my $f='spi'.'_exec_query'; &$f('s'.'et a.b = 1') $$",
            "do E'begin \\x65xecute 1; end'", "do U&'begin !0065xecute 1; end' uescape '!'",
            "select '\\'';do $$ begin execute x; end $$;--'",
        ] {
            let all: StatementTraits = [.setConfig, .advisoryLock, .temporary, .hiddenStatements]
            for marks in [self.marks(.query(text)), self.marks(.parse("", text), .bind("", ""))] {
                #expect(marks.isSuperset(of: all), "\(text)")
            }
        }
    }

    /// The second byte of a letter may look like a symbol, and one letter may have two codes: where a name ends, and so
    /// whether a dollar sign begins a quote, only the server knows (SJIS).
    @Test func aDollarSignBesideALetterOfTwoBytesHidesNothing() {
        let name = "\u{FFFD}"
        func marks(_ text: String) -> StatementTraits {
            // The bytes 83 7C in place of the character that stands for them.
            var bytes: [UInt8] = []
            for scalar in text.unicodeScalars {
                bytes += scalar == "\u{FFFD}" ? [0x83, 0x7C] : Array(String(scalar).utf8)
            }
            let message = frame("Q", bytes + [0])
            return BatchFeed(reading: [message]).marks
        }
        #expect(marks("select 1 as \(name)$a$, set_config('a.b','c',false) as \(name)$a$").contains(.setConfig))
        #expect(marks("select $\(name)$'$\(name)$, pg_advisory_lock(1) --'").contains(.advisoryLock))
        #expect(marks("select 1 as \(name)$a$; set a.b = c; select 1 as \(name)$a$").contains(.set))
        #expect(marks("select 1 as \(name)$a$; do $x$begin null; end$x$; select 1 as \(name)$a$")
            .isSuperset(of: [.hiddenStatements, .hiddenListen]))
        #expect(marks("select \(name), $1") == [])
        // No quote begins with such a sign, and no block with such a word.
        for text in ["select id from todo where note ~ 'é$'", "select a from pedido where b @? '$.é' or c = $1"] {
            #expect(self.marks(.parse("", text), .bind("", "")) == [], "\(text)")
        }
    }

    @Test func aPathMayNameTheTemporarySchemaInOtherForms() {
        for text in [
            "set local search_path = E'pg\\x5ftemp'", "set local search_path = U&'pg!005ftemp' uescape '!'",
            "set local search_path = 'pg_'\n'temp'", "select set_config('search_path', 'pg_' || 'temp', true)",
        ] {
            #expect(self.marks(.query(text)).contains(.temporary), "\(text)")
        }
        #expect(self.marks(.query("set local search_path = 'pg_' -- x\n 'temp'")).contains(.temporary))
        let plain = "set_config('search_path', 'a', true),\n set_config('app.user', '7', true)"
        for text in ["set local search_path = 'one', two", "select\n \(plain)"] {
            #expect(!self.marks(.query(text)).contains(.temporary), "\(text)")
        }
    }

    /// Such a text never was more than suspected of a SET.
    @Test func aBackslashBehindALetterIsNoBlock() {
        #expect(!self.marks(.query("select 'é\\s' from \"households\"")).contains(.hiddenStatements))
        #expect(self.marks(.query("select 'é\\'';do $$begin prepare$$")).contains(.hiddenStatements))
    }

    /// What it says is not decoded.
    @Test func aNameInEscapesMayBeAnyOfThem() {
        let all: StatementTraits = [.setConfig, .advisoryLock, .temporary]
        for text in [
            "select U&\"set\\005fconfig\"('a', 'b', false)", "select u&\"pg!005fadvisory_lock\" uescape '!' (1)",
            "create table U&\"pg\\005ftemp\".t (a int)",
        ] {
            for marks in [self.marks(.query(text)), self.marks(.parse("", text), .bind("", ""))] {
                #expect(marks.isSuperset(of: all), "\(text)")
            }
        }
        #expect(self.marks(.query("select u, \"a\", 1&\"b\"")) == [])
    }

    /// In SJIS the backslash is the second half of a letter: the constant ends where the lexer reads an escaped quote.
    @Test func aLetterThatEndsInABackslashHidesNoFunction() {
        for (text, trait) in [
            ("'; select SET_CONFIG('work_mem', '1MB', false); select '1'", .setConfig),
            ("', pg_advisory_lock(1), '1'", .advisoryLock), ("'; create temp table t (a int); select '1'", .temporary),
        ] as [(String, StatementTraits)] {
            let query = Array("select E'".utf8) + [0x83, 0x5C] + Array(text.utf8) + [0]
            #expect(self.marks(.raw("Q", query)).contains([.set, trait]), "\(text)")
        }
    }

    /// FunctionCall names them by number.
    @Test func functionsAreKnownByNumber() {
        #expect(self.marks(self.call(2078)) == .setConfig)
        for number in [2880, 2881, 2882, 2883, 2886, 2887, 2888, 2889] as [UInt32] {
            #expect(self.marks(self.call(number)) == .advisoryLock)
        }
        // Unlocking, the locks of a transaction, others.
        for number in [177, 2884, 2885, 2890, 2892, 3089, 3096, 0, 2079, .max] as [UInt32] {
            #expect(self.marks(self.call(number)) == [])
        }
    }

    /// The number may come later than the header, and not at all.
    @Test func theNumberIsWaitedFor() {
        let short = self.call(2078).bytes
        let long = self.call(2078, Array(repeating: 0, count: 50_000)).bytes
        for message in [short, long] {
            for count in 5..<12 {
                let feed = BatchFeed(reading: [Array(message.prefix(count)), Array(message.dropFirst(count))])
                #expect(feed.marks == .setConfig)
                #expect(feed.sent == message)
                #expect(feed.pending == [.functionCall])
            }
        }
        for count in 0..<4 {
            let feed = BatchFeed()
            feed.read(.raw("F", Array(repeating: 8, count: count)))
            #expect(feed.marks == [])
            #expect(feed.pending == [.functionCall])
        }
    }
}
