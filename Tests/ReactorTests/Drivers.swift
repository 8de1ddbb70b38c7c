import Testing

@testable import Reactor

/// Which driver the present run of a test is about.
enum Driver {
    @TaskLocal static var current = IOMethod.epoll

    /// Both where the kernel grants io_uring, else epoll alone.
    static let tested: [IOMethod] = IOMethod.whyNoRing() == nil ? [.epoll, .ioUring] : [.epoll]
}

/// Runs each test of a suite once per driver.
struct EachDriver: SuiteTrait, TestTrait, TestScoping {
    let isRecursive = true

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        for driver in Driver.tested {
            try await Driver.$current.withValue(driver) { try await function() }
        }
    }
}

extension Trait where Self == EachDriver {
    static var eachDriver: Self { EachDriver() }
}

extension Trait where Self == IssueHandlingTrait {
    /// Says in every failure which driver it was.
    static var namesDriver: Self {
        .compactMapIssues { issue in
            var issue = issue
            issue.comments.append("with \(Driver.current.rawValue)")
            return issue
        }
    }
}
