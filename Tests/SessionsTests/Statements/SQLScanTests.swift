import Sessions
import Testing

func scan(_ text: String, standardConformingStrings: Bool = true) -> SQLScan {
    let bytes = Array(text.utf8)
    return SQLScan(bytes.span, 0..<bytes.count, standardConformingStrings: standardConformingStrings)
}

@Suite struct SQLScanTests {
    private func check(_ cases: [(String, StatementTraits)], count: Int? = nil) {
        for (text, traits) in cases {
            let scan = scan(text)
            #expect(scan.traits == traits, "\(text)")
            if let count { #expect(scan.statementCount == count, "\(text)") }
        }
    }

    @Test func ordinaryTextsHaveNoTraits() {
        self.check(
            [
                ("select 1", []), ("SELECT a, b FROM t WHERE c = $1", []), ("begin_something", []),
                ("update t set copy = 1, begin = 2", []), ("select deallocate from discard", []),
                ("with execute as (select 1) select * from execute", []), ("insert into temp values (1)", []),
                ("insert into temp select 1", []), ("create table temp (a int)", []), ("(select 1)", []),
                ("select pg_advisory_xact_lock(1)", []), ("select pg_try_advisory_xact_lock(1)", []),
                ("select 'deallocate all'", []), ("create table t as select 1 as execute", []),
                ("create view v as select a as execute from t", []), ("set_configuration", []),
                ("select my_set_config(1), pg_advisory_locks", []), ("commit", []), ("rollback", []),
                ("merge into temp using b on true when matched then do nothing", []),
                ("select * from pg_temperature", []), ("prepare transaction 'x'", []),
                ("prepare transaction E'x'", []), ("prepare transaction $$x$$", []), ("discard plans", []),
            ],
            count: 1
        )
    }

    @Test func emptyTextsHaveNoStatement() {
        let cases = ["", " ", ";", " ; ;; ", "-- x", "/* x */", "/* x */;-- y\n;", "\u{B}\u{C}\r\n\t"]
        self.check(cases.map { ($0, []) }, count: 0)
    }

    @Test func statementsAreCounted() {
        let cases: [(String, Int)] = [
            ("select 1;select 2", 2), ("select 1;", 1), (";select 1;;select 2;", 2), ("a;b;c", 3),
            ("select ';'", 1), ("select \";\"", 1), ("select $$;$$", 1), ("select $a$;$$;$a$", 1),
            ("select 1 -- ;\n;select 2", 2), ("select 1 /* ; */;select 2", 2), ("select 1 /* /* ; */ ; */", 1),
            ("select 1 /* /* ; */ ; */ ; 2", 2), ("create rule r as on insert to t do (a; b; c)", 1),
            ("create rule r as on insert to t do (a; b); select 1", 2), ("a); b", 2), ("a)); (b;c)", 2),
            ("select a$1;$1 from b", 2), ("select $1;select $2", 2), ("select $1$a$;$a$", 1),
            ("select a$b$;$b$", 2), ("select 1$a$;$a$", 1), ("select '''';';'", 2), ("select ''';'''", 1),
            ("select '\\';'", 2), ("select e'\\';'", 1), ("select E'\\\\';';'", 2), ("select ee'\\';'", 2),
            ("select U&'\\';';", 2), ("select u&\";\"\";\"", 1), ("select u & ';' & u", 1), ("select u&x;y", 2),
            ("select b'0;1', X'f;f', N'\\';", 1), ("select \"a\"\";\"\"\"", 1), ("select é;ü", 2),
            ("select $é$;$é$", 1), ("select $1a$;$1a$", 2), ("select $a;$a$", 2), ("select $a b$;$a b$", 2),
            ("select $A$;$a$;$A$", 1), ("select $$;$;$$", 1), ("select $a$$b$$a$;", 1), ("select $a$ $a$a$;", 1),
            ("a--;", 1), ("a-;-b", 2), ("a/;*b", 2), ("a+--;\n;b", 2), ("a*/*;*/;b", 2), ("/*/;*/a", 1),
            ("/**/a;b", 2), ("/***/a;b", 2), ("//*;*/a", 1), ("-- a\r;b", 1), ("-- a\n;b;c", 2),
        ]
        for (text, count) in cases {
            let scan = scan(text)
            #expect(scan.statementCount == count, "\(text)")
            #expect(scan.traits.contains(.multiple) == (count > 1), "\(text)")
        }
    }

    /// A constant goes on behind a line end in its own form: the backslash still counts.
    @Test func escapeStringsGoOnBehindALineEnd() {
        let cases: [(String, Int)] = [
            ("select E'a'\n'\\';'", 1), ("select E'a' '\\';'", 2), ("select E'a' -- ;'\n'\\';'", 1),
            ("select E'a'\r -- x\n\t--y\n '\\';'", 1), ("select E'a'\n/**/'\\';'", 2), ("select E'a'\n-'\\';'", 2),
            ("select E'a'\n'b'\n'\\';'", 1), ("select 'a'\n'\\';'", 2), ("select E'a'\n", 1), ("select E'a'\n--", 1),
        ]
        for (text, count) in cases { #expect(scan(text).statementCount == count, "\(text)") }
    }

    @Test func backslashesTakeAQuoteWithoutStandardStrings() {
        for text in ["select '\\';'", "select N'\\';'", "select 'a'\n'\\';'"] {
            #expect(scan(text, standardConformingStrings: false).statementCount == 1, "\(text)")
            #expect(scan(text).traits == [.unfinished, .multiple], "\(text)")
        }
        #expect(scan("select b'\\';'", standardConformingStrings: false).statementCount == 2)
    }

    @Test func bodiesOfFunctionsAreOneStatement() {
        let cases: [(String, Int)] = [
            ("create function f() returns int begin atomic select 1; select 2; end; select 3", 2),
            ("CREATE OR REPLACE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (1); END", 1),
            ("create function f() begin atomic end; a", 2), ("create function f() begin atomic ; ; end; a", 2),
            ("create function f() begin atomic select case when a then 1 end; select 2; end; a; b", 3),
            ("create function f() begin atomic select 1 case; end; a", 2),
            ("create function f() begin atomic select 1 end; select 2; end; a", 2),
            ("create function f() begin /* x */ atomic (select 1; end;); end; a", 2),
            ("create function f() returns begin as 'x'; atomic; a", 3), ("create function s.begin atomic; a", 2),
            ("create function begin begin atomic a; end; b", 2), ("create table f begin atomic a; b", 2),
            ("begin atomic; a; end", 3), ("create function f(begin atomic a); b; end", 3),
            ("create function f() begin atomic select 1; select 2", 1),
        ]
        for (text, count) in cases { #expect(scan(text).statementCount == count, "\(text)") }
    }

    @Test func deallocate() {
        let cases: [(String, [String])] = [
            ("deallocate a", ["a"]), ("DEALLOCATE Ab;", ["ab"]), ("deallocate prepare a", ["a"]),
            ("deallocate prepare", ["prepare"]), ("deallocate prepare;select 1", ["prepare"]),
            ("deallocate prepare prepare", ["prepare"]), ("deallocate \"Ab\"", ["Ab"]),
            ("deallocate \"a\"\"b\"", ["a\"b"]), ("deallocate\"all\"", ["all"]),
            ("deallocate prepare \"ALL\"", ["ALL"]),
            ("deallocate a;deallocate B;deallocate \"C\"", ["a", "b", "C"]), ("/* x */ deallocate -- y\n a", ["a"]),
            ("select 1; deallocate É_1$", ["É_1$"]), ("deallocate /**/a/**/", ["a"]), ("deallocate \"\"\"\"", ["\""]),
        ]
        for (text, names) in cases {
            let scan = scan(text)
            #expect(scan.traits.subtracting(.multiple) == .deallocate, "\(text)")
            #expect(scan.deallocated == names.map { Array($0.utf8) }, "\(text)")
        }
        self.check([
            ("deallocate all", .deallocateAll), ("DEALLOCATE PREPARE ALL;", .deallocateAll),
            ("deallocate u&\"a\"", [.deallocate, .unreadableName]), ("deallocate", []), ("deallocate 'a'", []),
            ("deallocate prepare U&\"a\" uescape '!'", [.deallocate, .unreadableName]), ("deallocate 1", []),
            ("deallocate \"\"", []), ("deallocate (a)", []), ("select 1; deallocate all", [.deallocateAll, .multiple]),
        ])
        #expect(scan("deallocate u&\"a\"").deallocated.isEmpty)
    }

    /// By a rule of the view, under the tag of an UPDATE.
    @Test func anUpdateOfTheViewOfSettingsSetsThem() {
        self.check([
            ("update pg_settings set setting = '1MB' where name = 'work_mem'", .setConfig),
            ("UPDATE ONLY pg_catalog.\"pg_settings\" SET setting = $1", .setConfig),
            ("with a as (select 1) update pg_settings set setting = '1'", .setConfig),
            ("update pg_settings set setting = set_config('a', 'b', true)", .setConfig),
            ("select setting from pg_settings where name = $1", []), ("update my_pg_settings set a = 1", []),
        ])
    }

    @Test func namesAreCutAt63Bytes() {
        func name(_ text: String) -> [UInt8]? { scan("deallocate " + text).deallocated.first }
        let long = String(repeating: "A", count: 70)
        #expect(name(long) == Array(repeating: UInt8(ascii: "a"), count: 63))
        #expect(name("\"\(long)\"") == Array(repeating: UInt8(ascii: "A"), count: 63))
        let exact = String(repeating: "a", count: 63)
        #expect(name(exact) == Array(exact.utf8))
        #expect(name("\"" + String(repeating: "\"\"", count: 64) + "\"")
            == Array(repeating: UInt8(ascii: "\""), count: 63))
        for lead in 58...63 {
            let text = String(repeating: "a", count: lead) + "€" + "bbb"
            let kept = lead <= 60 ? Array(text.utf8.prefix(63)) : Array(repeating: UInt8(ascii: "a"), count: lead)
            #expect(name(text) == kept, "\(lead)")
            #expect(name("\"\(text)\"") == kept, "\(lead)")
        }
        let bad = Array("deallocate ".utf8) + Array(repeating: 0x80, count: 100)
        #expect(SQLScan(bad.span, 0..<bad.count).deallocated == [Array(repeating: 0x80, count: 63)])
    }

    @Test func prepareAndExecute() {
        self.check([
            ("prepare a as select 1", .prepare), ("PREPARE \"a\"(int) AS select $1", .prepare),
            ("prepare transaction as select 1", .prepare), ("prepare transaction(int) as select 1", .prepare),
            ("prepare U&\"a\" as select 1", .prepare), ("prepare \"transaction\" as select 1", .prepare),
            ("execute a", .execute), ("EXECUTE a(1)", .execute), ("select 1; execute a", [.execute, .multiple]),
            ("explain execute a", .execute), ("explain analyze verbose execute a", .execute),
            ("explain (analyze, costs off) execute a", .execute), ("explain select 1", []),
            ("explain analyse create table t as execute a", .execute), ("create table t as execute a", .execute),
            ("create temp table if not exists s.\"as\"(a, b) with (x = as) on commit drop as execute a", .execute),
            ("create unlogged table s.as as execute a", .execute), ("explain (execute a)", []),
            ("grant execute on function f to x", []), ("create trigger t after insert on t execute function f()", []),
        ])
    }

    @Test func plainBegins() {
        for text in [
            "begin", "BEGIN;", " begin work ;;", "Begin Transaction", "start transaction",
            "START /**/ TRANSACTION -- x",
            ";;begin", "/* x */begin--y",
        ] {
            #expect(scan(text).traits == .begin, "\(text)")
        }
        for text in [
            "begin read only", "begin transaction isolation level serializable", "start transaction read write",
            "start",
            "begin work read only", "begin)", "(begin)", "begin.", "begin 'x'", "begin x", "begin \"work\"", "begin /*",
            "begin work work", "start transaction transaction", "explain begin", "explain start transaction", "begin'",
            "begin $1", "commit", "start work", "create function f() begin atomic begin;", "x.begin", ".begin",
            "create function f() begin atomic start transaction; end",
        ] {
            #expect(!scan(text).traits.contains(.begin), "\(text)")
        }
        #expect(scan("begin;begin").traits == .multiple)
        #expect(scan("begin;select 1").traits == .multiple)
    }

    @Test func sessionStateInsideOfStatements() {
        self.check([
            ("select pg_advisory_lock(1)", .advisoryLock), ("select PG_CATALOG.PG_TRY_ADVISORY_LOCK(1)", .advisoryLock),
            ("select (pg_advisory_lock_shared(1))", .advisoryLock), ("select \"pg_advisory_lock\"(1)", .advisoryLock),
            ("select pg_try_advisory_lock_shared(1,2)", .advisoryLock),
            ("select set_config('a','b',false)", .setConfig),
            ("select pg_catalog.\"set_config\"('a','b',false)", .setConfig), ("create temp table t()", .temporary),
            ("create temporary sequence s", .temporary), ("create local temp table t()", .temporary),
            ("CREATE GLOBAL TEMPORARY TABLE t()", .temporary),
            ("create or replace temp view v as select 1", .temporary),
            ("select 1 into temp t", .temporary), ("select 1 into local temporary table t", .temporary),
            ("(select 1 into temp t)", .temporary), ("select x.insert into temp t", .temporary),
            ("select 1 as insert into temp t", .temporary), ("select 1 merge into temporary t", .temporary),
            ("create table pg_temp.t()", .temporary), ("select 1 into t", []), ("select 1 into \"temp\"", []),
            ("create view x.temp as select 1", []), ("drop table temp", []), ("discard all", .discardAll),
            ("Discard /**/ All;", .discardAll), ("copy t from stdin", .copy), ("COPY (select 1) to stdout", .copy),
            ("discard \"all\"", []), ("select 1; copy t to stdout", [.copy, .multiple]),
            ("update pg_settings set setting = 'a'", .setConfig), ("select * from pg_settings", []),
            ("with a as (UPDATE pg_catalog.\"pg_settings\" set setting = 'a') select 1", .setConfig),
            ("update t set a = 1", []), ("create table pg_temp_3.t()", .temporary), ("select pg_temp_", []),
            ("select * from \"pg_temp_12\".t", .temporary),
            ("reset all", .reset), ("/* x */ RESET search_path;", .reset),
            ("select 1; Reset ROLE", [.reset, .multiple]), ("select reset from t", []),
            ("\"reset\" all", []), ("select 'x; reset all'", []),
            ("set session authorization default; reset all", [.set, .reset, .multiple]),
        ])
    }

    @Test func unfinishedTexts() {
        for text in [
            "'", "select 'a", "select E'a\\'", "select E'\\", "select \"a", "select U&\"a", "select U&'a", "select $$a",
            "select $a$ $b$", "select $a$ $a", "/*", "/* /* */", "select 1 /*/", "select b'0", "select x'0",
            "select n'a",
            "select E'a'\n'b", "select 'a''", "select \"a\"\"", "/* *", "select $$ $",
        ] {
            #expect(scan(text).traits == .unfinished, "\(text)")
            #expect(scan(text).statementCount == 1, "\(text)")
        }
        #expect(scan("select 1; '").traits == [.unfinished, .multiple])
    }

    /// Only the bytes of the range are read, and a range that leaves the bytes is cut.
    @Test func rangesAreKept() {
        let bytes = Array("x'begin;copy".utf8)
        #expect(SQLScan(bytes.span, 2..<7).traits == .begin)
        #expect(SQLScan(bytes.span, 2..<8).traits == .begin)
        #expect(SQLScan(bytes.span, 8..<1000).traits == .copy)
        #expect(SQLScan(bytes.span, -5 ..< -1).statementCount == 0)
        #expect(SQLScan(bytes.span, 50..<60).statementCount == 0)
        #expect(SQLScan(bytes.span, 3..<3).statementCount == 0)
    }
}
