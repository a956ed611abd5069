# The settings of the local stack, as the terraform.tfvars of any environment has them. Edit them and run make local-up.
# Functions such as jsonencode are not available in this file: write a schema as a heredoc of JSON, as below.

job_types = {
  # JSON that fits a schema, whatever the model writes (docs/job-types.md).
  "extract-listing" = {
    system_prompt = "You extract facts from descriptions of real estate. Leave out what the text does not say."
    prompt        = "{{ text }}"

    input_schema = <<-EOT
      {
        "type": "object",
        "required": ["text"],
        "properties": { "text": { "type": "string", "maxLength": 20000 } }
      }
    EOT

    output_schema = <<-EOT
      {
        "type": "object",
        "required": ["title", "rooms"],
        "additionalProperties": false,
        "properties": {
          "title": { "type": "string", "description": "At most ten words." },
          "rooms": { "type": "integer", "minimum": 1 },
          "features": { "type": "array", "items": { "type": "string" } }
        }
      }
    EOT
  }
}
