import Glibc
import Logging
import Testing

@testable import Telemetry

@Suite("Log lines")
struct LogHandlerTests {
    func logger(_ output: LogOutput, label: String = "pool") -> Logger {
        Logger(label: label, factory: { output.handler(label: $0) })
    }

    @Test func writesText() throws {
        let recorder = LogRecorder()
        var logger = self.logger(try recorder.output("trace"))
        logger[metadataKey: "user"] = "alice"
        logger.info("checkout", metadata: ["database": "shop", "wait": .stringConvertible(12)])
        logger.error("gone", metadata: ["user": "bob"])
        logger.warning("slow")
        #expect(
            recorder.lines == [
                "2024-01-07T19:19:38.080Z  INFO pool: checkout database=shop user=alice wait=12\n",
                "2024-01-07T19:19:38.080Z ERROR pool: gone user=bob\n",
                "2024-01-07T19:19:38.080Z  WARN pool: slow user=alice\n",
            ]
        )
    }

    @Test func namesFiveLevels() throws {
        let recorder = LogRecorder()
        let logger = self.logger(try recorder.output("trace"))
        for level in Logger.Level.allCases {
            logger.log(level: level, "x")
        }
        let words = recorder.lines.map { String($0.dropFirst(25).prefix(5)) }
        #expect(words == ["TRACE", "DEBUG", " INFO", " INFO", " WARN", "ERROR", "ERROR"])
    }

    @Test(arguments: [
        ("plain", "plain"), ("10.0.0.1:5432", "10.0.0.1:5432"), ("", "\"\""), ("two words", "\"two words\""),
        ("a=b", "\"a=b\""), ("say \"hi\"", "\"say \\\"hi\\\"\""), ("back\\slash", "\"back\\\\slash\""),
        ("x\n2024-01-07T19:19:38.080Z ERROR pool: forged", "\"x\\n2024-01-07T19:19:38.080Z ERROR pool: forged\""),
        ("cr\rlf", "\"cr\\rlf\""), ("crlf\r\n", "\"crlf\\r\\n\""), ("tab\t", "\"tab\\t\""),
        ("\u{1B}[2K", "\"\\u{1b}[2K\""), ("nul\0", "\"nul\\u{00}\""), ("\u{85}", "\"\\u{85}\""),
        ("\u{2028}", "\"\\u{2028}\""), ("\u{202E}", "\"\\u{202e}\""), ("no\u{A0}break", "\"no\u{A0}break\""),
        ("Zoë日本", "Zoë日本"),
    ])
    func escapesValues(value: String, expected: String) throws {
        let recorder = LogRecorder()
        self.logger(try recorder.output()).info("m", metadata: ["k": .string(value)])
        #expect(recorder.lines == ["2024-01-07T19:19:38.080Z  INFO pool: m k=\(expected)\n"])
    }

    @Test func escapesMessagesLabelsAndKeys() throws {
        let recorder = LogRecorder()
        let logger = self.logger(try recorder.output(), label: "p\nq")
        logger.info("one\ntwo = \"2\"", metadata: ["a b": "c"])
        #expect(
            recorder.lines == ["2024-01-07T19:19:38.080Z  INFO p\\nq: one\\ntwo = \"2\" \"a b\"=c\n"]
        )
    }

    @Test func everyControlCharacterStaysOnItsLine() throws {
        let recorder = LogRecorder()
        let text = String(String.UnicodeScalarView((0...0x9F).compactMap(Unicode.Scalar.init)))
        for format in LogFormat.allCases {
            let logger = self.logger(try recorder.output("info", format: format), label: text)
            logger.info("\(text)", metadata: [text: .string(text), "list": [.string(text), [text: .string(text)]]])
        }
        #expect(recorder.lines.count == 2)
        for line in recorder.lines {
            #expect(line.unicodeScalars.filter { $0.properties.generalCategory == .control } == ["\n"])
            #expect(line.hasSuffix("\n"))
        }
    }

    @Test func cutsLongTexts() throws {
        let recorder = LogRecorder()
        self.logger(try recorder.output()).info("m", metadata: ["k": .string(String(repeating: "é", count: 100_000))])
        let line = try #require(recorder.lines.first)
        #expect(line.utf8.count < 4_200)
        #expect(line.hasSuffix("é…\n"))
    }

    @Test func writesJSON() throws {
        let recorder = LogRecorder()
        let logger = self.logger(try recorder.output("info", format: .structured))
        logger.info(
            "say \"hi\"\n",
            metadata: ["level": "forged", "path": "a\\b", "list": ["x", ["k": "\u{01}"]], "n": .stringConvertible(3)]
        )
        #expect(
            recorder.lines == [
                #"{"timestamp":"2024-01-07T19:19:38.080Z","level":"INFO","target":"pool","message":"say \"hi\"\n","#
                    + #""level_":"forged","list":["x",{"k":"\u0001"}],"n":"3","path":"a\\b"}"# + "\n"
            ]
        )
    }

    struct Refusal: Error, CustomStringConvertible {
        let description = "no such role"
    }

    @Test func carriesErrorsAndProvidedMetadata() throws {
        let recorder = LogRecorder()
        let output = try recorder.output()
        let provider = Logger.MetadataProvider { ["client": "#c7", "user": "provided"] }
        let logger = Logger(label: "login") { label in
            var handler = output.handler(label: label)
            handler.metadata = ["user": "logger"]
            handler.metadataProvider = provider
            return handler
        }
        logger.error("refused", error: Refusal())
        #expect(
            recorder.lines == [
                "2024-01-07T19:19:38.080Z ERROR login: refused client=#c7 error=\"no such role\" user=provided\n"
            ]
        )
    }

    @Test(arguments: LogThreshold.allCases)
    func aLevelPassesItselfAndAbove(threshold: LogThreshold) throws {
        let recorder = LogRecorder()
        let logger = self.logger(try recorder.output(threshold.description))
        for level in Logger.Level.allCases { logger.log(level: level, "\(level.rawValue)") }
        let expected: [Logger.Level] =
            switch threshold {
            case .off: []
            case .error: [.error, .critical]
            case .warn: [.warning, .error, .critical]
            case .info: [.info, .notice, .warning, .error, .critical]
            case .debug: [.debug, .info, .notice, .warning, .error, .critical]
            case .trace: Logger.Level.allCases
            }
        let messages: [String] = recorder.lines.map { line in String(line.dropFirst(37).dropLast()) }
        #expect(messages == expected.map(\.rawValue))
    }

    @Test func eachLabelFollowsItsRule() throws {
        let recorder = LogRecorder()
        let output = try recorder.output("warn,login=off,pool=debug")
        for label in ["gateway", "login.scram", "pool.open"] {
            let logger = self.logger(output, label: label)
            logger.debug("d")
            logger.warning("w")
            logger.critical("c")
        }
        let seen: [String] = recorder.lines.map { line in String(line.dropFirst(31).dropLast()) }
        #expect(seen == ["gateway: w", "gateway: c", "pool.open: d", "pool.open: w", "pool.open: c"])
    }

    @Test func aLoggersOwnLevelStaysItsOwn() throws {
        let recorder = LogRecorder()
        let output = try recorder.output("off")
        let plain = self.logger(output)
        var loud = plain
        loud.logLevel = .debug
        loud.debug("mine")
        plain.critical("silent")
        #expect(recorder.lines.count == 1)
        #expect(plain.logLevel == .critical)
        #expect(loud.logLevel == .debug)
    }

    @Test func oneLineIsOneWrite() throws {
        var descriptors: [Int32] = [-1, -1]
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &descriptors) == 0)
        defer { descriptors.forEach { _ = close($0) } }
        let writer = LineWriter(descriptor: descriptors[0]) { _ in "" }
        writer.write("first line\n")
        writer.write("second\n")
        var buffer = [UInt8](repeating: 0, count: 100)
        // A sequenced-packet socket keeps the borders between writes.
        #expect(unsafe read(descriptors[1], &buffer, buffer.count) == 11)
        #expect(unsafe read(descriptors[1], &buffer, buffer.count) == 7)
    }

    @Test func linesThatNobodyTakesAreCounted() throws {
        var descriptors: [Int32] = [-1, -1]
        #expect(unsafe pipe(&descriptors) == 0)
        defer { descriptors.forEach { _ = close($0) } }
        let writer = LineWriter(descriptor: descriptors[1]) { count in "missing: \(count)\n" }
        let lines = 2_000
        for index in 0..<lines { writer.write("\(index) " + String(repeating: "x", count: 200) + "\n") }
        // As much as a pipe holds, and no more.
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe read(descriptors[0], &buffer, buffer.count)
        let text = String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
        let taken = text.split(separator: "\n").count
        #expect(text.hasSuffix("\n"))
        #expect(taken < lines)
        writer.write("next\n")
        let rest = unsafe read(descriptors[0], &buffer, buffer.count)
        #expect(String(decoding: buffer[..<max(rest, 0)], as: UTF8.self) == "missing: \(lines - taken)\nnext\n")
    }
}
