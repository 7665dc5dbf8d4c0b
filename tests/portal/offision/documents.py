"""OpenAPI documents of servers that are not the sandbox's."""

SWAGGER_2 = """
swagger: "2.0"
info: {title: Rooms, version: "2"}
basePath: /API/external/
securityDefinitions: {key: {type: basic}}
paths:
  /system/v1/information:
    get:
      summary: Information
      responses: {200: {description: ok, schema: {type: object, properties: {Version: {type: string}}}}}
  /booking/v2/BookableResource/{bookableResourceId}/Bookings:
    parameters:
      - {name: bookableResourceId, in: path, required: true, type: integer}
    get:
      tags: [Booking]
      operationId: Booking_GetBookableResourceDailyBookingList
      parameters:
        - {name: StartDate, in: query, required: true, type: string, format: date-time}
        - {name: EndDate, in: query, required: true, type: string, format: date-time}
        - {name: PageIndex, in: query, type: integer, default: 0}
        - {name: detail, in: query, required: true, type: string, enum: [full]}
      responses: {200: {description: ok, schema: {$ref: "#/definitions/BookingPage"}}}
    delete:
      summary: Delete all bookings of a resource
      responses: {204: {description: gone}}
  /booking/v2/hooks:
    post:
      summary: "Booking: Subscribe resource appointment change"
      operationId: x
      parameters:
        - {name: body, in: body, required: true, schema: {$ref: "#/definitions/Hook"}}
      responses: {200: {description: ok, schema: {$ref: "#/definitions/HookMade"}}}
  /visitor/{registrationCode}:
    post:
      summary: Get visitor by registration code
      parameters: [{name: registrationCode, in: path, required: true, type: string}]
      responses: {200: {description: ok, schema: {$ref: "#/definitions/Visitor"}}}
definitions:
  BookingPage:
    type: object
    properties:
      Code: {type: integer}
      Data: {type: array, items: {$ref: "#/definitions/Booking"}}
      Rooms: {type: array, items: {type: object, properties: {Id: {type: integer}}}}
      TotalCount: {type: integer}
  Booking:
    allOf:
      - {type: object, properties: {BookingId: {type: integer}}}
      - type: object
        properties:
          Series: {$ref: "#/definitions/Booking"}
          StartTime: {type: integer, format: int64, description: Unix time in milliseconds}
          EndTime: {type: integer, format: int64}
          BookingStatus: {$ref: "#/definitions/Status"}
          Host: {$ref: "#/definitions/Person"}
          Participants: {type: array, items: {$ref: "#/definitions/Person"}}
  Person:
    type: object
    properties:
      Email: {type: string}
      DisplayName: {type: string}
      Manager: {$ref: "#/definitions/Person"}
  Status:
    type: integer
    enum: [0, 1, 2, 3, 4]
    x-enumNames: [Confirmed, CheckedIn, NoShow, Canceled, Active]
  Hook:
    type: object
    required: [Url, ResourceIds, EventType]
    properties:
      Url: {type: string}
      ResourceIds: {type: array, items: {type: integer}}
      EventType: {type: string, enum: [appointment, resource]}
      Secret: {type: string}
  HookMade: {type: object, properties: {Id: {type: integer}}}
  Visitor:
    type: object
    properties:
      RegistrationCode: {type: string}
      VisitorName: {type: string}
      VisitingStatus: {type: integer, description: "0 = Expected, 1 = Checked in, 2: CheckedOut, 9 - Overdue"}
"""

AMBIGUOUS = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://rooms.example/api/v9"}],
    "paths": {
        f"/{version}/rooms/{{room-id}}/bookings": {
            "get": {
                "summary": f"{version} booking list of a room",
                "parameters": [
                    {"name": "room-id", "in": "path", "required": True, "schema": {"type": "string"}},
                    {"name": "day", "in": "query", "schema": {"type": "string", "format": "date"}},
                ],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/List"}}}}
                },
            }
        }
        for version in ("public", "private")
    },
    "components": {
        "schemas": {
            "List": {
                "type": "array",
                "items": {
                    "oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Booking"}],
                },
            },
            "Booking": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "start-time": {"type": ["string", "null"], "format": "date-time"},
                    "until": {"type": "string", "format": "date-time"},
                    "booking": {"type": "object", "properties": {"state": {"type": "string"}}},
                    "reservation": {"type": "object", "properties": {"state": {"type": "string"}}},
                    "guestMails": {"type": "array", "items": {"type": "string"}},
                },
            },
        }
    },
}
