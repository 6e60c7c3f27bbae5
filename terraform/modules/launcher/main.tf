# The privilege filter between a message that anyone may have written and a build that holds a deploy role.

locals {
  name = "${var.names.prefix}launcher"
}

# Before the function: Lambda would make the group itself on the first line, for ever and outside of Terraform.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:One line an outcome says what happened; traces would be one more right and one more bill.
  #checkov:skip=CKV_AWS_115:The event source mapping bounds it. A reserved concurrency beside that makes SQS count throttled tries.
  #checkov:skip=CKV_AWS_116:A dead-letter queue of the function is for asynchronous calls. Here the queue has one.
  #checkov:skip=CKV_AWS_117:It talks to AWS's own endpoints only; a VPC would need endpoints or a gateway billed by the hour.
  #checkov:skip=CKV_AWS_173:Its variables are names and numbers, not secrets.
  #checkov:skip=CKV_AWS_272:Who applies this builds the zip; the output launcher_sha256 tells what was uploaded.
  function_name = local.name
  description   = "Checks a trigger against the register and starts the build of its project"
  role          = aws_iam_role.this.arn

  # A native program: no language runtime to patch, and a start in milliseconds.
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)

  # Ends well before the queue shows the batch to somebody else. The default, 3 seconds, is shorter than one slow AWS call.
  timeout = 15

  environment {
    variables = {
      CONFIGPATH         = var.config_path
      TOPICARN           = var.topic_arn
      QUEUEARN           = var.queue_arn
      QUEUEURL           = var.queue_url
      DEADLETTERQUEUEURL = var.dead_letter_queue_url
      RETRYSECONDS       = tostring(var.retry_seconds)
      VISIBILITYSECONDS  = tostring(var.visibility_seconds)
      MAXWAITSECONDS     = tostring(var.max_wait_seconds)
      BUILDSPERHOUR      = tostring(var.builds_per_hour)
    }
  }

  logging_config {
    # The lines of the platform become JSON too, so that one query finds timeouts and outcomes alike.
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  # A function that runs before it may write its log loses the lines that say why it failed.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = fileexists(var.zip)
      error_message = "The launcher's zip is not there: run `make build`, or set launcher_zip."
    }
  }
}

resource "aws_lambda_event_source_mapping" "triggers" {
  function_name    = aws_lambda_function.this.arn
  event_source_arn = var.queue_arn

  # The launcher answers which messages of a batch must come back; without this line one busy project would send the whole
  # batch back, and triggers that were served would be served again.
  function_response_types = ["ReportBatchItemFailures"]

  # SQS's default, written out because one call can set the delays of ten messages and no more. What the launcher has no time
  # for within its timeout, it gives back.
  batch_size = 10

  # A flood of triggers waits in the queue instead of using up the account's Lambda concurrency.
  scaling_config {
    maximum_concurrency = var.maximum_concurrency
  }
}
