# GET /jobs/{jobId}: a function reads the row, and shapes the answer itself.

resource "aws_api_gateway_method" "get_job" {
  rest_api_id    = aws_api_gateway_rest_api.this.id
  resource_id    = aws_api_gateway_resource.job.id
  http_method    = "GET"
  operation_name = "GetJob"
  authorization  = var.authorization
}

resource "aws_api_gateway_integration" "get_job" {
  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = aws_api_gateway_resource.job.id
  http_method             = aws_api_gateway_method.get_job.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.jobs_function.invoke_arn
}

resource "aws_lambda_permission" "get_job" {
  statement_id  = "AllowGetJob"
  action        = "lambda:InvokeFunction"
  function_name = var.jobs_function.name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/*/GET/jobs/*"
}
