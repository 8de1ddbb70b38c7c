import ArgumentParser
import Foundation
import Gateway
import HBA

struct HBAExplain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Says which rule of a file decides about a connection, and why the rules before it do not match.",
        discussion: """
            Nothing is looked up: roles and host names are taken from the command line. A rule that depends on one \
            that is not given makes the answer `undecided`. With --batch, each line of standard input is a question \
            as a JSON object (database, user, address, tls, unix, replication, roles, host_name) and gets one line \
            of answer.
            """
    )

    @Option(help: "The file, in the format of pg_hba.conf. PostgreSQL's methods are all accepted.")
    var file: String

    @Option(help: "The database the client asks for.")
    var database: String?

    @Option(help: "The user the client comes as.")
    var user: String?

    @Option(help: "The client's IP address.")
    var address: String?

    @Flag(help: "The client uses TLS.")
    var tls = false

    @Flag(help: "The client comes by a unix socket.")
    var unix = false

    @Flag(help: "The client asks for physical replication.")
    var replication = false

    @Option(
        name: .customLong("role"),
        help: "A role the user is a member of, directly or not; may be given several times."
    )
    var roles: [String] = []

    @Flag(help: "The user is a member of no role.")
    var noRoles = false

    @Option(help: "The client's host name.")
    var hostName: String?

    @Flag(help: "The client's address has no host name.")
    var noHostName = false

    @Flag(help: "Answer as a JSON object.")
    var json = false

    @Flag(help: "Questions come as lines of JSON on standard input, answers go as lines of JSON to standard output.")
    var batch = false

    func validate() throws {
        guard !self.batch else { return }
        guard self.user != nil, self.database != nil || self.replication else {
            throw ValidationError("--database and --user are needed, or --batch")
        }
        guard self.unix != (self.address != nil) else { throw ValidationError("either --address or --unix is needed") }
        guard self.roles.isEmpty || !self.noRoles else { throw ValidationError("either --role or --no-roles") }
        guard self.hostName == nil || !self.noHostName else {
            throw ValidationError("either --host-name or --no-host-name")
        }
    }

    func run() throws {
        GatewayProcess.releaseSignals()
        let policy = try self.policy()
        let interfaces = PolicyFiles.interfaces()
        guard !self.batch else { return try Self.answerLines(policy, interfaces) }
        let question: HBAQuestionLine
        do throws(HBAQuestionLine.Problem) {
            question = try self.question(interfaces)
        } catch {
            throw ValidationError(error.reason)
        }
        let answer = HBAAnswer(policy, question)
        print(self.json ? try answer.json() : answer.text)
    }

    /// The rules, with a warning for each method that only PostgreSQL has.
    private func policy() throws -> HBAPolicy {
        let methods = HBACommand.methods
        let mapMethods = HBACommand.mapMethods
        do throws(HBAErrors) {
            let policy = try HBAPolicy.load(
                path: self.file,
                methods: methods.union(HBAPolicy.methodsOfPostgreSQL),
                mapMethods: mapMethods,
                reader: PolicyFiles.reader
            )
            for rule in policy.rules where !methods.contains(rule.method) {
                HBACommand.writeError("warning: \(rule.file):\(rule.line): this gateway has no method \(rule.method)")
            }
            return policy
        } catch {
            HBACommand.writeError(error.description)
            throw ExitCode(1)
        }
    }

    private func question(
        _ interfaces: HBAFacts.Answer<[HBAInterface]>
    ) throws(HBAQuestionLine.Problem) -> HBAQuestionLine {
        var question = HBAQuestionLine()
        question.database = self.database
        question.user = self.user
        question.address = self.address
        question.isTLS = self.tls
        question.isUnix = self.unix
        question.isReplication = self.replication
        question.roles = self.noRoles ? [] : self.roles.isEmpty ? nil : self.roles
        question.hostName = self.noHostName ? .some(nil) : self.hostName.map { .some($0) }
        try question.resolve(interfaces: interfaces)
        return question
    }

    /// A line that is no question gets an error for an answer; the others are answered all the same.
    private static func answerLines(
        _ policy: HBAPolicy,
        _ interfaces: HBAFacts.Answer<[HBAInterface]>
    ) throws {
        var isGood = true
        while let line = readLine(strippingNewline: true) {
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            do throws(HBAQuestionLine.Problem) {
                var question = try HBAQuestionLine(json: line)
                try question.resolve(interfaces: interfaces)
                Self.write(try HBAAnswer(policy, question).jsonLine())
            } catch {
                isGood = false
                Self.write(error.line)
            }
        }
        guard isGood else { throw ExitCode(1) }
    }

    /// At once: a program that asks line by line waits for each answer.
    private static func write(_ line: String) {
        StandardStreams.write("\(line)\n", to: STDOUT_FILENO)
    }
}
