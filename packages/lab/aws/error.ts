/** An error with AWS's own code and message. The caller decides how it is sent over HTTP. */
export class AwsError extends Error {
    override readonly name = "AwsError";
    /** AWS's error code: `DependencyViolation`, `InvalidVpcID.NotFound`, ... */
    readonly code: string;
    readonly status: number;

    constructor(code: string, message: string, status = 400) {
        super(message);
        this.code = code;
        this.status = status;
    }
}
