/** A refusal in AWS's own words. Which HTTP envelope it comes in is the caller's business. */
export class AwsError extends Error {
    override readonly name = "AwsError";
    /** As AWS documents it: `DependencyViolation`, `InvalidVpcID.NotFound`, ... */
    readonly code: string;
    readonly status: number;

    constructor(code: string, message: string, status = 400) {
        super(message);
        this.code = code;
        this.status = status;
    }
}
